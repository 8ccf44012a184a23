// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "gpuio/dev/scope.h"
#include "gpuio/dev/words.h"

/// The kernels that every device offers, by id, and their argument structs. The structs cross the C table to the
/// device's shared object, so they are plain data with fixed-width members; kLayoutHash guards them.
namespace gpuio::spi {

enum class KernelId : std::uint32_t {
  gather_rows,    ///< RowsArguments: packed[i] = table[ids[i]]
  scatter_rows,   ///< RowsArguments: table[ids[i]] = packed[i]
  move_segments,  ///< SegmentsArguments: many small copies in one launch
  update_words,   ///< WordsArguments: atomic operations on words by index
  count
};

/// Bodies in core/rows.kernel.h.
struct RowsArguments {
  std::byte* table;
  std::uint64_t table_rows;  ///< Ids at or above are reported and skipped.
  std::uint64_t row_bytes;
  std::uint64_t stride_bytes;
  const void* ids;
  std::uint32_t id_bytes;     ///< 4 or 8
  std::uint32_t behind_link;  ///< 1 if the table is in host memory, and the link sets the rate.
  std::uint64_t count;
  std::byte* packed;
  std::uint32_t* status;  ///< May be null.
};

/// One piece of a move: any alignment, any length.
struct MoveSegment {
  const std::byte* source;
  std::byte* destination;
  std::uint64_t bytes;
};

/// Body in core/segments.kernel.h. `segments` is in memory that the device's kernels can read.
struct SegmentsArguments {
  const MoveSegment* segments;
  std::uint64_t count;
};

/// Body in core/atomics.kernel.h: for each i < count, `op` on the word `ids[i]` (null: `i`) with `operands[i]`.
struct WordsArguments {
  std::byte* words;     ///< Null: they are the ring's owner's.
  std::uint64_t count;  ///< Of operations.
  std::uint64_t bytes;  ///< Of all words: ids past them are reported and skipped.
  const void* ids;
  const std::byte* operands;
  const std::byte* expected;  ///< For compare_exchange.
  std::byte* old;             ///< What the words were; may be null.
  std::uint32_t* status;      ///< May be null.
  dev::DelegateRing ring;
  dev::AtomicOp op;
  dev::ValueType type;
  dev::Scope scope;       ///< Of the device's own operations.
  std::uint8_t id_bytes;  ///< 4 or 8
};

/// Changes whenever a struct above does: the loader of a device's shared object compares it.
constexpr std::uint64_t layout_hash() {
  std::uint64_t hash = 1469598103934665603ULL;
  for (std::uint64_t value : {std::uint64_t{sizeof(RowsArguments)}, std::uint64_t{offsetof(RowsArguments, ids)},
                              std::uint64_t{offsetof(RowsArguments, status)}, std::uint64_t{sizeof(MoveSegment)},
                              std::uint64_t{sizeof(SegmentsArguments)}, std::uint64_t{sizeof(WordsArguments)},
                              std::uint64_t{offsetof(WordsArguments, ring)}, std::uint64_t{sizeof(dev::DelegateRing)},
                              static_cast<std::uint64_t>(KernelId::count)}) {
    hash = (hash ^ value) * 1099511628211ULL;
  }
  return hash;
}
inline constexpr std::uint64_t kLayoutHash = layout_hash();

}  // namespace gpuio::spi
