// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "core/launch/fetched_rows.h"
#include "core/launch/rows_common.kernel.h"

/// Rows of a table where a group is one thread of the host.
namespace gpuio::core {

/// One row after another, those further on being fetched meanwhile.
template <RowDirection kDirection, class Id, class Policy>
void move_rows_in_turn(const Policy& policy, const spi::RowsArguments& rows) {
  const auto* ids = static_cast<const Id*>(rows.ids);
  const RowCopier copier(rows.count * rows.row_bytes);
  policy.for_each(rows.count, [&](std::uint64_t i) {
    if (const std::uint64_t later = i + kRowsAhead; later < rows.count && ids[later] < rows.table_rows) {
      fetch_row<kDirection == RowDirection::scatter>(rows.table + ids[later] * rows.stride_bytes, rows.row_bytes);
    }
    std::byte* row = find_row<Id>(policy, rows, i, true);
    if (row == nullptr) return;
    const RowEnds ends = ends_of<kDirection>(row, rows.packed + i * rows.row_bytes);
    copier.copy(ends.destination, ends.source, rows.row_bytes);
  });
}

}  // namespace gpuio::core
