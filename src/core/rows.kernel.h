// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/copy.kernel.h"
#include "core/host_rows.h"
#include "core/spi/kernels.h"

/// Rows of a table to and from a packed array: one group a row. Where a group has one lane it takes a run of rows, and
/// fetches them ahead (host_rows.h).
namespace gpuio::core {

template <RowDirection kDirection, class Id, class Policy>
GPUIO_KERNEL_BODY void move_rows_of(const Policy& policy, const spi::RowsArguments& rows) {
  const auto* ids = static_cast<const Id*>(rows.ids);
  const unsigned unit = common_unit(reinterpret_cast<std::uintptr_t>(rows.table) |
                                    reinterpret_cast<std::uintptr_t>(rows.packed) | rows.row_bytes | rows.stride_bytes);
  policy.for_each(rows.count, [&](std::uint64_t i) {
    const std::uint64_t id = ids[i];
    if (id >= rows.table_rows) {
      // A u32 can't name positions from 2^32 - 1 on; 0 must keep its meaning.
      const std::uint64_t report = i < 0xfffffffeU ? i + 1 : 0xffffffffU;
      if (rows.status != nullptr && policy.lane() == 0) {
        policy.store_shared(rows.status, static_cast<std::uint32_t>(report));
      }
      return;
    }
    std::byte* row = rows.table + id * rows.stride_bytes;
    std::byte* packed = rows.packed + i * rows.row_bytes;
    const std::byte* source = kDirection == RowDirection::gather ? row : packed;
    std::byte* destination = kDirection == RowDirection::gather ? packed : row;
    if (unit == 1) {
      copy_bytes(policy, source, destination, rows.row_bytes);
    } else {
      copy_in_units(policy, unit, source, destination, rows.row_bytes);
    }
  });
}

template <RowDirection kDirection, class Policy>
GPUIO_KERNEL_BODY void move_rows(const Policy& policy, const spi::RowsArguments& rows) {
  if constexpr (Policy::kLanes == 1) {
    move_rows_on_host(kDirection, rows, policy.part, policy.parts);
  } else if (rows.id_bytes == 4) {
    move_rows_of<kDirection, std::uint32_t>(policy, rows);
  } else {
    move_rows_of<kDirection, std::uint64_t>(policy, rows);
  }
}

}  // namespace gpuio::core
