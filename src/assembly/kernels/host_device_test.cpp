// SPDX-License-Identifier: Apache-2.0
#include "assembly/kernels/device_test.h"
#include "assembly/kernels/host_kernels.h"
#include "device/host/driver.h"

namespace gpuio::assembly {

std::unique_ptr<spi::DeviceDriver> make_driver_under_test(spi::Executor& executor) {
  return std::make_unique<host::Driver>(executor, 16, host_kernels());
}

}  // namespace gpuio::assembly
