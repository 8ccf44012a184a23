// SPDX-License-Identifier: Apache-2.0
#include "device/cuda/driver.h"

#include <algorithm>

#include "base/log.h"
#include "base/try.h"
#include "device/cuda/device.h"

namespace gpuio::cuda {

std::string Driver::name(int ordinal) const { return "cuda:" + std::to_string(ordinal); }

Result<int> Driver::load() {
  GPUIO_ASSIGN(table_, load_table(options_));
  int devices = 0;
  GPUIO_TRY(status_of(*table_, table_->device_count(&devices), "counting CUDA devices"));
  if (devices == 0) return Status(Code::unsupported, "there is an NVIDIA driver but no device that it may use here");
  return devices;
}

Result<int> Driver::count() {
  std::lock_guard lock(mutex_);
  if (!count_) count_.emplace(load());
  return *count_;
}

Result<std::unique_ptr<spi::Device>> Driver::open(int ordinal) {
  GPUIO_ASSIGN(const int devices, count());
  if (ordinal < 0 || ordinal >= devices) {
    return Status(Code::not_found, "there is no such CUDA device")
        .with("ordinal", std::to_string(ordinal))
        .with("count", static_cast<std::uint64_t>(devices));
  }
  std::lock_guard lock(mutex_);
  GPUIO_ASSIGN(std::unique_ptr<Device> device, Device::open(*table_, ordinal, name(ordinal)));
  for (const int peer : opened_) {
    if (peer == ordinal) continue;
    // Without it copies between the two go through host memory: slower, not wrong.
    if (const Status status = device->connect(peer); !status.ok()) GPUIO_LOG(warn, "cuda", status.to_string());
  }
  if (std::find(opened_.begin(), opened_.end(), ordinal) == opened_.end()) opened_.push_back(ordinal);
  return std::unique_ptr<spi::Device>(std::move(device));
}

}  // namespace gpuio::cuda
