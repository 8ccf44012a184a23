// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/copy/copy.kernel.h"
#include "core/launch/rows_common.kernel.h"

/// Rows moved by the lanes of warps.
///
/// One load or store of a warp makes a request for each 128-byte line that it touches, and on a link the requests are
/// the rate: 350 to 420 million lines a second on PCIe Gen5 x16, whatever part of a line is wanted. So no line of a row
/// is touched twice:
///
/// - A row of up to 32 units takes one step of a *team*, the lanes that it needs; other rows take the rest of the warp.
/// - A longer row takes the whole warp, whose steps begin on lines of the table and not with the row: 264 bytes are
///   three lines wherever they begin, 656 bytes (in units of 16) are six.
///
/// No lane waits for another: each reads its row's id itself, which costs nothing beside its neighbours' reading it.
namespace gpuio::core {

constexpr unsigned kLineBytes = 128;

/// The widest unit that all rows and both ends are aligned to.
GPUIO_KERNEL_BODY unsigned row_unit(const spi::RowsArguments& rows) {
  return common_unit(reinterpret_cast<std::uintptr_t>(rows.table) | reinterpret_cast<std::uintptr_t>(rows.packed) |
                     rows.row_bytes | rows.stride_bytes);
}

/// How many of `lanes` share one row: a power of two, all of them for rows that need more than one step.
GPUIO_KERNEL_BODY unsigned team_lanes(std::uint64_t row_bytes, unsigned unit, unsigned lanes) {
  if (unit == 1) return lanes;  // Such rows have a beginning, a middle and an end, see copy_bytes.
  unsigned team = 1;
  while (team < lanes && std::uint64_t{team} * unit < row_bytes) team *= 2;
  return team;
}

/// Rows that a warp of `lanes` has under way at a time: a launch needs no more warps than so many each give.
GPUIO_KERNEL_BODY std::uint64_t rows_per_warp(const spi::RowsArguments& rows, unsigned lanes) {
  return lanes / team_lanes(rows.row_bytes, row_unit(rows), lanes);
}

/// How many units before `address` its line begins.
GPUIO_KERNEL_BODY unsigned units_into_line(const std::byte* address, unsigned unit) {
  return static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(address) % kLineBytes) / unit;
}

/// Rows of one step, several to a warp where they leave it room.
template <RowDirection kDirection, class Id, class Unit, class Policy>
GPUIO_KERNEL_BODY void move_short_rows(const Policy& policy, const spi::RowsArguments& rows, unsigned team) {
  const unsigned member = policy.lane() % team;
  const unsigned place = policy.lane() / team;
  const unsigned together = Policy::kLanes / team;
  const std::uint64_t units = rows.row_bytes / sizeof(Unit);
  policy.for_each((rows.count + together - 1) / together, [&](std::uint64_t turn) {
    const std::uint64_t i = turn * together + place;
    if (i >= rows.count) return;
    std::byte* row = find_row<Id>(policy, rows, i, member == 0);
    if (row == nullptr || member >= units) return;
    const RowEnds ends = ends_of<kDirection>(row, rows.packed + i * rows.row_bytes);
    reinterpret_cast<Unit*>(ends.destination)[member] = reinterpret_cast<const Unit*>(ends.source)[member];
  });
}

/// Rows of several steps, a warp each.
template <RowDirection kDirection, class Id, class Unit, class Policy>
GPUIO_KERNEL_BODY void move_long_rows(const Policy& policy, const spi::RowsArguments& rows) {
  policy.for_each(rows.count, [&](std::uint64_t i) {
    std::byte* row = find_row<Id>(policy, rows, i, policy.lane() == 0);
    if (row == nullptr) return;
    const RowEnds ends = ends_of<kDirection>(row, rows.packed + i * rows.row_bytes);
    copy_units<Unit>(policy, ends.source, ends.destination, rows.row_bytes / sizeof(Unit),
                     units_into_line(row, sizeof(Unit)));
  });
}

/// Rows that are aligned to nothing.
template <RowDirection kDirection, class Id, class Policy>
GPUIO_KERNEL_BODY void move_ragged_rows(const Policy& policy, const spi::RowsArguments& rows) {
  policy.for_each(rows.count, [&](std::uint64_t i) {
    std::byte* row = find_row<Id>(policy, rows, i, policy.lane() == 0);
    if (row == nullptr) return;
    const RowEnds ends = ends_of<kDirection>(row, rows.packed + i * rows.row_bytes);
    copy_bytes(policy, ends.source, ends.destination, rows.row_bytes);
  });
}

template <RowDirection kDirection, class Id, class Unit, class Policy>
GPUIO_KERNEL_BODY void move_rows_in_units(const Policy& policy, const spi::RowsArguments& rows) {
  if (rows.row_bytes <= Policy::kLanes * sizeof(Unit)) {
    move_short_rows<kDirection, Id, Unit>(policy, rows, team_lanes(rows.row_bytes, sizeof(Unit), Policy::kLanes));
  } else {
    move_long_rows<kDirection, Id, Unit>(policy, rows);
  }
}

template <RowDirection kDirection, class Id, class Policy>
GPUIO_KERNEL_BODY void move_rows_by_lanes(const Policy& policy, const spi::RowsArguments& rows) {
  switch (row_unit(rows)) {
    case 16:
      return move_rows_in_units<kDirection, Id, Unit16>(policy, rows);
    case 8:
      return move_rows_in_units<kDirection, Id, std::uint64_t>(policy, rows);
    case 4:
      return move_rows_in_units<kDirection, Id, std::uint32_t>(policy, rows);
    default:
      return move_ragged_rows<kDirection, Id>(policy, rows);
  }
}

}  // namespace gpuio::core
