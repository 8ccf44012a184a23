// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/copy/host_copy.h"

/// What all who copy many small pieces on the host have in common.
namespace gpuio::core {

/// How many rows are on their way. Into the second-level cache, which has more misses under way than the first:
/// measured with 128 B rows of 512 MiB, 57 million a second and core; into the first, 44; by a plain loop, 28 to 36.
inline constexpr std::uint64_t kRowsAhead = 32;

/// Has a row brought to the second-level cache, or of a long one its first page; the processor fetches the rest itself.
template <bool kToWrite = false>
inline void fetch_row(const std::byte* row, std::uint64_t bytes) noexcept {
  constexpr std::uint64_t kFetchedBytesMax = 4096;
  constexpr int kSecondLevel = 2;
  const std::uint64_t fetched = std::min(bytes, kFetchedBytesMax);
  for (std::uint64_t at = 0; at < fetched; at += kHostLineBytes) __builtin_prefetch(row + at, kToWrite, kSecondLevel);
}

/// Copies rows; past the caches where all of them together are large and a row is whole lines.
class RowCopier {
 public:
  explicit RowCopier(std::uint64_t whole_bytes) noexcept {
    if (const auto ways = streaming_copies(); whole_bytes >= streamed_bytes_min() && !ways.empty()) {
      lines_ = ways.front().copy;
    }
  }
  ~RowCopier() {
    if (lines_ != nullptr) streaming_fence();
  }
  RowCopier(const RowCopier&) = delete;
  RowCopier& operator=(const RowCopier&) = delete;

  void copy(std::byte* to, const std::byte* from, std::uint64_t bytes) const noexcept {
    if (lines_ != nullptr && (reinterpret_cast<std::uintptr_t>(to) | bytes) % kHostLineBytes == 0) {
      lines_(to, from, bytes / kHostLineBytes, 0);
    } else {
      std::memcpy(to, from, bytes);
    }
  }

 private:
  StreamLines lines_ = nullptr;
};

}  // namespace gpuio::core
