// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace gpuio::core {

inline constexpr std::size_t kCacheLineBytes = 64;

/// Whether this processor has instructions that write cache lines back and drop them: dev::write_back, dev::drop.
[[nodiscard]] bool can_write_back() noexcept;

/// Which instructions these are, for the doctor and for tests: "clwb", "clflushopt", "clflush", or "none".
[[nodiscard]] const char* write_back_instruction() noexcept;

/// Calls `each(line)` with the first address of each cache line that holds one of these bytes.
template <class Each>
void for_each_line(const void* data, std::uint64_t bytes, const Each& each) {
  if (bytes == 0) return;
  const auto first = reinterpret_cast<std::uintptr_t>(data);
  const std::uintptr_t last = (first + bytes - 1) / kCacheLineBytes;
  for (std::uintptr_t line = first / kCacheLineBytes; line <= last; ++line) {
    each(reinterpret_cast<void*>(line * kCacheLineBytes));
  }
}

}  // namespace gpuio::core
