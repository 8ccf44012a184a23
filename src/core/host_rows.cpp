// SPDX-License-Identifier: Apache-2.0
#include "core/host_rows.h"

#include <atomic>

namespace gpuio::core {
namespace {

/// How many bytes of rows are on their way to the caches: enough to hide a miss, few enough to be still there.
constexpr std::uint64_t kAheadBytes = 8U << 10U;
constexpr std::uint64_t kAheadRowsMax = 32;

void report(const spi::RowsArguments& rows, std::uint64_t position) noexcept {
  if (rows.status == nullptr) return;
  // A u32 can't name positions from 2^32 - 1 on; 0 must keep its meaning.
  const std::uint64_t word = position < 0xfffffffeU ? position + 1 : 0xffffffffU;
  std::atomic_ref<std::uint32_t>(*rows.status).store(static_cast<std::uint32_t>(word), std::memory_order_relaxed);
}

template <RowDirection kDirection, class Id>
void move(const spi::RowsArguments& rows, std::uint64_t first, std::uint64_t last) noexcept {
  constexpr bool kScatters = kDirection == RowDirection::scatter;
  const auto* ids = static_cast<const Id*>(rows.ids);
  const std::uint64_t ahead = std::clamp<std::uint64_t>(kAheadBytes / rows.row_bytes, 2, kAheadRowsMax);
  const RowCopier copier(rows.count * rows.row_bytes);
  const auto fetch = [&](std::uint64_t i) {
    if (i < last && ids[i] < rows.table_rows) {
      fetch_row<kScatters>(rows.table + ids[i] * rows.stride_bytes, rows.row_bytes);
    }
  };
  for (std::uint64_t i = first; i < first + ahead; ++i) fetch(i);
  for (std::uint64_t i = first; i < last; ++i) {
    fetch(i + ahead);
    const std::uint64_t id = ids[i];
    if (id >= rows.table_rows) {
      report(rows, i);
      continue;
    }
    std::byte* row = rows.table + id * rows.stride_bytes;
    std::byte* packed = rows.packed + i * rows.row_bytes;
    copier.copy(kScatters ? row : packed, kScatters ? packed : row, rows.row_bytes);
  }
}

template <RowDirection kDirection>
void move(const spi::RowsArguments& rows, std::uint64_t first, std::uint64_t last) noexcept {
  if (rows.id_bytes == sizeof(std::uint32_t)) {
    move<kDirection, std::uint32_t>(rows, first, last);
  } else {
    move<kDirection, std::uint64_t>(rows, first, last);
  }
}

}  // namespace

void move_rows_on_host(RowDirection direction, const spi::RowsArguments& rows, std::uint64_t part,
                       std::uint64_t parts) noexcept {
  const std::uint64_t share = rows.count / parts;
  const std::uint64_t longer = rows.count % parts;  // The first `longer` parts take one row more.
  const std::uint64_t first = part * share + std::min(part, longer);
  const std::uint64_t last = first + share + (part < longer ? 1 : 0);
  if (direction == RowDirection::gather) {
    move<RowDirection::gather>(rows, first, last);
  } else {
    move<RowDirection::scatter>(rows, first, last);
  }
}

}  // namespace gpuio::core
