// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/spi/kernels.h"
#include "gpuio/dev/exec.h"

/// What moves of rows have in common, whoever makes them.
namespace gpuio::core {

enum class RowDirection : bool { gather, scatter };

/// Where the row that position `i` names lies in the table; null where there is none, which is reported by the caller
/// whose `reports` is true.
template <class Id, class Policy>
GPUIO_KERNEL_BODY std::byte* find_row(const Policy& policy, const spi::RowsArguments& rows, std::uint64_t i,
                                      bool reports) {
  const std::uint64_t id = static_cast<const Id*>(rows.ids)[i];
  if (id < rows.table_rows) return rows.table + id * rows.stride_bytes;
  // A u32 can't name positions from 2^32 - 1 on; 0 must keep its meaning.
  const std::uint64_t report = i < 0xfffffffeU ? i + 1 : 0xffffffffU;
  if (rows.status != nullptr && reports) policy.store_shared(rows.status, static_cast<std::uint32_t>(report));
  return nullptr;
}

/// The two ends of one row's move.
struct RowEnds {
  const std::byte* source;
  std::byte* destination;
};

template <RowDirection kDirection>
GPUIO_KERNEL_BODY RowEnds ends_of(std::byte* row, std::byte* packed) {
  if constexpr (kDirection == RowDirection::gather) {
    return {row, packed};
  } else {
    return {packed, row};
  }
}

}  // namespace gpuio::core
