// SPDX-License-Identifier: Apache-2.0
#include "device/host/driver.h"

#include "device/host/device.h"

namespace gpuio::host {

Driver::Driver(spi::Executor& executor, int count, const KernelTable& kernels)
    : executor_(executor), count_(count), kernels_(kernels), words_(std::make_shared<WordWatch>(executor)) {}

Driver::~Driver() = default;

std::string Driver::name(int ordinal) const {
  return ordinal == 0 ? std::string("host") : "host:" + std::to_string(ordinal);
}

Result<std::unique_ptr<spi::Device>> Driver::open(int ordinal) {
  if (ordinal < 0 || ordinal >= count_) {
    return Status(Code::not_found, "there is no such host device; device.host_count says how many there are")
        .with("ordinal", std::to_string(ordinal))
        .with("count", static_cast<std::uint64_t>(count_));
  }
  return std::unique_ptr<spi::Device>(std::make_unique<Device>(name(ordinal), executor_, words_, kernels_));
}

}  // namespace gpuio::host
