// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

#include "gpuio/memory.hpp"
#include "gpuio/result.hpp"

namespace gpuio::host {

/// The host device's memory: pages of the system, in huge ones where they fit, and the book of what was registered.
/// Thread safety: all members.
class Memory {
 public:
  [[nodiscard]] Result<std::byte*> allocate(RegionKind kind, std::size_t bytes, const Placement& placement);
  [[nodiscard]] Status free(std::byte* base, std::size_t bytes);

  /// There is nothing to register on the host, but what an accelerator would refuse is refused here too.
  [[nodiscard]] Status register_range(std::byte* base, std::size_t bytes);
  [[nodiscard]] Status unregister_range(std::byte* base, std::size_t bytes);

 private:
  std::mutex mutex_;
  std::map<std::byte*, std::size_t> allocated_;
  std::map<std::byte*, std::size_t> registered_;
};

/// What the whole machine has, from /proc/meminfo.
struct SystemMemory {
  std::uint64_t available_bytes = 0;
  std::uint64_t total_bytes = 0;
};
[[nodiscard]] Result<SystemMemory> system_memory();

}  // namespace gpuio::host
