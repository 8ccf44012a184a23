// SPDX-License-Identifier: Apache-2.0
#include "assembly/kernels/host_kernels.h"

#include "core/copy/segments.kernel.h"
#include "core/launch/rows.kernel.h"
#include "core/view/atomics.kernel.h"

namespace gpuio::assembly {
namespace {

using dev::LoopPolicy;

/// The table's entry for a body and its argument struct.
template <class Arguments, void (*kBody)(const LoopPolicy&, const Arguments&),
          std::uint64_t (*kBytes)(const Arguments&)>
constexpr host::Kernel kernel() {
  static_assert(sizeof(Arguments) <= host::kKernelArgumentBytesMax);
  return {sizeof(Arguments),
          [](const void* arguments, std::uint64_t part, std::uint64_t parts) {
            kBody(LoopPolicy{part, parts}, *static_cast<const Arguments*>(arguments));
          },
          [](const void* arguments) { return kBytes(*static_cast<const Arguments*>(arguments)); }};
}

std::uint64_t rows_bytes(const spi::RowsArguments& rows) { return rows.count * rows.row_bytes; }

std::uint64_t segments_bytes(const spi::SegmentsArguments& list) {
  std::uint64_t bytes = 0;
  for (std::uint64_t i = 0; i < list.count; ++i) bytes += list.segments[i].bytes;
  return bytes;
}

std::uint64_t words_bytes(const spi::WordsArguments& list) { return list.count * dev::bytes_of(list.type); }

constexpr host::KernelTable make_table() {
  host::KernelTable table{};
  const auto set = [&](spi::KernelId id, const host::Kernel& entry) { table[static_cast<std::size_t>(id)] = entry; };
  set(spi::KernelId::gather_rows,
      kernel<spi::RowsArguments, core::move_rows<core::RowDirection::gather, LoopPolicy>, rows_bytes>());
  set(spi::KernelId::scatter_rows,
      kernel<spi::RowsArguments, core::move_rows<core::RowDirection::scatter, LoopPolicy>, rows_bytes>());
  set(spi::KernelId::move_segments, kernel<spi::SegmentsArguments, core::move_segments<LoopPolicy>, segments_bytes>());
  set(spi::KernelId::update_words, kernel<spi::WordsArguments, core::update_words<LoopPolicy>, words_bytes>());
  return table;
}

constexpr host::KernelTable kTable = make_table();

}  // namespace

const host::KernelTable& host_kernels() { return kTable; }

}  // namespace gpuio::assembly
