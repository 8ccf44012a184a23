// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "gpuio/memory.hpp"
#include "gpuio/stream.hpp"

namespace gpuio {

/// The type of the row ids that a Launch reads.
enum class IdType : std::uint8_t { u32, u64 };

/// Rows of a table and a packed array, moved one way or the other by a kernel on the caller's stream.
///
/// Every Pin must be of memory that kernels of the stream's device may load and store (`Ability::device_load_store`).
/// Alignment: any; rows whose address, stride and length are multiples of 16 (8, 4) bytes move in such units.
struct RowLaunch {
  const Pin* table = nullptr;      ///< Where the rows lie, row 0 first.
  std::uint64_t row_bytes = 0;     ///< Bytes of each row that move.
  std::uint64_t stride_bytes = 0;  ///< From row to row in the table; 0 means `row_bytes`.
  const Pin* ids = nullptr;        ///< `count` ids of `id_type`; may be written by earlier work on the stream.
  IdType id_type = IdType::u32;    ///< Of `ids`.
  std::uint64_t count = 0;         ///< Rows to move; may be 0.
  const Pin* packed = nullptr;     ///< `count` x `row_bytes`, without gaps.
  const Pin* status = nullptr;     ///< 4 bytes, zeroed by the caller: left 0, or 1 + the position of an id outside the
                                   ///< table (one of them; such rows are skipped).
};

/// Queues `packed[i] = table[ids[i]]` on `stream`. A Launch: no queue of ours, no allocation, no host thread, no
/// callback, so it may be captured in a graph; the Pins must then outlive the graph.
///
/// Fails with `invalid_argument` (names the field: null, too small for `count`), `unsupported` (memory that kernels of
/// the stream's device don't reach, and why), `permission_denied` (where it would store is a Store mapped for reading),
/// `device_error`. What goes wrong on the device is in the status word. Cost: one kernel launch.
[[nodiscard]] Status launch_gather(const Stream& stream, const RowLaunch& rows);

/// Queues `table[ids[i]] = packed[i]`; as launch_gather. If an id occurs twice, one of its rows wins, whole or in units
/// of 16 bytes.
[[nodiscard]] Status launch_scatter(const Stream& stream, const RowLaunch& rows);

}  // namespace gpuio
