// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/launch/rows_common.kernel.h"
#include "core/launch/rows_host.kernel.h"
#include "core/launch/rows_warp.kernel.h"

/// Rows of a table to and from a packed array.
namespace gpuio::core {

template <RowDirection kDirection, class Id, class Policy>
GPUIO_KERNEL_BODY void move_rows_of(const Policy& policy, const spi::RowsArguments& rows) {
  if constexpr (Policy::kLanes == 1) {
    move_rows_in_turn<kDirection, Id>(policy, rows);
  } else {
    move_rows_by_lanes<kDirection, Id>(policy, rows);
  }
}

template <RowDirection kDirection, class Policy>
GPUIO_KERNEL_BODY void move_rows(const Policy& policy, const spi::RowsArguments& rows) {
  if (rows.id_bytes == 4) {
    move_rows_of<kDirection, std::uint32_t>(policy, rows);
  } else {
    move_rows_of<kDirection, std::uint64_t>(policy, rows);
  }
}

}  // namespace gpuio::core
