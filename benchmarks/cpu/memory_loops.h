// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

/// The loops over memory that a careful programmer would write by hand, for one thread.
namespace gpuio::bench {

struct CopyLoop {
  std::string_view name;
  void (*copy)(std::byte* to, const std::byte* from, std::size_t bytes) = nullptr;
};

/// Copies past the caches, that this processor can do: by the width of their stores, with and without fetching ahead.
/// Addresses and lengths are multiples of 128.
[[nodiscard]] std::span<const CopyLoop> non_temporal_loops();

struct RowJob {
  const std::byte* table = nullptr;
  std::span<const std::uint64_t> ids;
  std::byte* packed = nullptr;
  std::size_t row_bytes = 0;
};

/// packed[i] = table[ids[i]] for i of [begin, end): a memcpy a row.
void gather_plainly(const RowJob& job, std::size_t begin, std::size_t end);

/// What a loop fetches ahead: the first lines of the row that is so much further on, and to which cache.
struct Fetch {
  std::size_t ahead_rows = 0;
  std::size_t row_bytes_max = 512;
  bool second_level = false;
};

/// As gather_plainly, with rows fetched ahead.
void gather_prefetched(const RowJob& job, std::size_t begin, std::size_t end, const Fetch& fetch);

}  // namespace gpuio::bench
