// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>

#include "gpuio/placement.hpp"
#include "gpuio/result.hpp"

namespace gpuio::core {

/// Anonymous memory in huge pages where the kernel has them, placed on NUMA nodes and already touched (by up to 16
/// threads), so that registering it costs the device no page faults. Movable; the destructor unmaps. Thread safety: as
/// a pointer.
class HostPages {
 public:
  /// `bytes` is rounded up to whole pages; the base is a huge page's if one fits. `numa_node`: what is
  /// local, -1 for the kernel's own way. Fails with `out_of_memory`, and where `placement` can't be had.
  static Result<HostPages> map(std::size_t bytes, int numa_node, const Placement& placement = {});

  HostPages() = default;
  HostPages(HostPages&& other) noexcept
      : base_(std::exchange(other.base_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  HostPages& operator=(HostPages&& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~HostPages();

  [[nodiscard]] std::byte* base() const noexcept { return base_; }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_; }

 private:
  HostPages(std::byte* base, std::size_t bytes) noexcept : base_(base), bytes_(bytes) {}

  std::byte* base_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace gpuio::core
