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

/// Whole cache lines.
struct LineRange {
  std::byte* begin = nullptr;
  std::byte* end = nullptr;
};

/// Those that hold one of these bytes.
[[nodiscard]] inline LineRange lines_of(const void* data, std::uint64_t bytes) noexcept {
  auto* const first = static_cast<std::byte*>(const_cast<void*>(data));
  if (bytes == 0) return {first, first};
  std::byte* const last = first + bytes - 1;
  return {first - reinterpret_cast<std::uintptr_t>(first) % kCacheLineBytes,
          last - reinterpret_cast<std::uintptr_t>(last) % kCacheLineBytes + kCacheLineBytes};
}

/// Starts to write back the lines that hold these bytes. Done after the next fence, sfence or mfence.
void start_write_back(const void* data, std::uint64_t bytes) noexcept;
/// Starts to drop them, written back first where they are dirty. Done after the next mfence.
void start_drop(const void* data, std::uint64_t bytes) noexcept;

/// What was started is done and stores are seen before what comes later.
void full_fence() noexcept;

/// Earlier loads, those of bytes too, come before later ones.
void order_loads() noexcept;

}  // namespace gpuio::core
