// SPDX-License-Identifier: Apache-2.0
#include "core/copy/host_fill.h"

#include <algorithm>
#include <cstring>

#include "core/copy/host_copy.h"

namespace gpuio::core {
namespace {

/// Holds the pattern often enough that copying it costs little more than writing.
constexpr std::size_t kBlockBytes = 4096;

}  // namespace

FillPattern FillPattern::of(std::span<const std::byte> pattern) noexcept {
  FillPattern made;
  made.size = static_cast<std::uint32_t>(std::min(pattern.size(), kBytesMax));
  std::copy_n(pattern.begin(), made.size, made.bytes.begin());
  return made;
}

bool FillPattern::is_one_byte() const noexcept {
  return std::all_of(bytes.begin(), bytes.begin() + size, [this](std::byte byte) { return byte == bytes[0]; });
}

void host_fill(std::byte* to, std::size_t bytes, const FillPattern& pattern, std::uint64_t phase,
               std::size_t whole_bytes) noexcept {
  if (whole_bytes < streamed_bytes_min() && pattern.is_one_byte()) {
    std::memset(to, std::to_integer<int>(pattern.bytes[0]), bytes);
    return;
  }
  alignas(64) std::array<std::byte, kBlockBytes + FillPattern::kBytesMax> block;  // NOLINT: written at once
  for (std::size_t i = 0; i < block.size(); ++i) block[i] = pattern.bytes[(phase + i) % pattern.size];
  // Parts begin on a line of the destination, so that whole lines go past the caches.
  const std::size_t head = std::min(bytes, (64 - reinterpret_cast<std::uintptr_t>(to) % 64) % 64);
  std::memcpy(to, block.data(), head);
  const std::size_t step = kBlockBytes / 64 / pattern.size * pattern.size * 64;
  for (std::size_t done = head; done < bytes; done += step) {
    host_copy_part(to + done, block.data() + head % pattern.size, std::min(step, bytes - done), whole_bytes);
  }
}

}  // namespace gpuio::core
