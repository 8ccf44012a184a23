// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "core/spi/forwarding_device.h"
#include "support/wrapping_driver.h"

namespace gpuio::tests {

/// What a test knows of, and does to, the processors of a StuckDevice.
struct Processors {
  alignas(64) std::uint32_t free = 0;  ///< Raised to 1: kernels run.
  std::atomic<bool> watched{false};    ///< From now on what needs the device's attention counts as forbidden.
  std::atomic<int> launches{0};
  std::atomic<int> forbidden{0};  ///< Allocations, frees and registrations while watched.

  void release() { std::atomic_ref<std::uint32_t>(free).store(1, std::memory_order_release); }
};

/// The host device posing as an accelerator whose every processor is taken by kernels that wait: whatever kernel is
/// launched holds its stream until the test releases the processors.
class StuckDevice final : public spi::ForwardingDevice {
 public:
  StuckDevice(std::unique_ptr<spi::Device> inner, std::shared_ptr<Processors> processors)
      : ForwardingDevice(std::move(inner)), processors_(std::move(processors)) {}

  bool memory_is_host() const noexcept override { return false; }

  Result<std::byte*> allocate(RegionKind kind, std::size_t bytes, const Placement& placement) override {
    note();
    return inner_->allocate(kind, bytes, placement);
  }
  Status free(RegionKind kind, std::byte* base, std::size_t bytes) override {
    note();
    return inner_->free(kind, base, bytes);
  }
  Status register_memory(std::byte* base, std::size_t bytes, spi::RegisterMode mode) override {
    note();
    return inner_->register_memory(base, bytes, mode);
  }
  Status unregister_memory(std::byte* base, std::size_t bytes) override {
    note();
    return inner_->unregister_memory(base, bytes);
  }

  Status launch(spi::StreamHandle stream, spi::KernelId kernel, const void* arguments) override {
    ++processors_->launches;
    const Status held = inner_->wait_word(stream, &processors_->free, 1);
    return held.ok() ? inner_->launch(stream, kernel, arguments) : held;
  }

 private:
  void note() {
    if (processors_->watched) ++processors_->forbidden;
  }

  const std::shared_ptr<Processors> processors_;
};

/// Opens every device of another driver as a StuckDevice.
using StuckDriver = WrappingDriver<StuckDevice, std::shared_ptr<Processors>>;

}  // namespace gpuio::tests
