// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "assembly/kernels/device_test.h"
#include "device/cuda/driver.h"

namespace gpuio::assembly {

std::unique_ptr<spi::DeviceDriver> make_driver_under_test(spi::Executor&) {
  cuda::LoadOptions options;
  // Where it was built; on a machine it was copied to, the driver finds the one beside this program.
  if (std::filesystem::exists(GPUIO_CUDA_LIBRARY)) options.library = GPUIO_CUDA_LIBRARY;
  return std::make_unique<cuda::Driver>(options);
}

}  // namespace gpuio::assembly
