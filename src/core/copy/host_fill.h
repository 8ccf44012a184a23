// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

/// Fills host memory with a pattern, by one thread. Who has several gives each a part.
namespace gpuio::core {

/// What memory is filled with, again and again from its first byte.
struct FillPattern {
  static constexpr std::size_t kBytesMax = 16;

  std::array<std::byte, kBytesMax> bytes{};
  std::uint32_t size = 0;  ///< 1 to kBytesMax.

  [[nodiscard]] static FillPattern of(std::span<const std::byte> pattern) noexcept;
  /// Whether one byte says it all.
  [[nodiscard]] bool is_one_byte() const noexcept;
};

/// Fills `bytes` from `to` on; its first byte is the pattern's at `phase` (any number). `whole_bytes`: of the fill that
/// this is a part of, decides whether it goes past the caches.
void host_fill(std::byte* to, std::size_t bytes, const FillPattern& pattern, std::uint64_t phase,
               std::size_t whole_bytes) noexcept;

}  // namespace gpuio::core
