// SPDX-License-Identifier: Apache-2.0
// mem.gpu.migration: random 512-byte rows of a mapped Region against managed memory whose pages start on the host and
// move to the GPU at its first touch.

#include <algorithm>

#include <fmt/core.h>

#include "gpu/measurements.h"
#include "gpu/mem_rig.h"
#include "gpu/mem_table.h"

namespace gpuio::bench {
namespace {

constexpr std::uint64_t kTableBytes = std::uint64_t{16} << 30;
constexpr std::uint64_t kRowsMax = 1'000'000;
constexpr std::uint64_t kMigratedRowsMax = 65'536;  ///< At 0.06 million rows a second: about a second.
constexpr std::uint64_t kRowBytes = 512;

}  // namespace

void mem_gpu_migration(const Options& options, Samples& samples) {
  const std::uint64_t table_bytes = options.file_bytes_or(kTableBytes);
  const std::uint64_t rows = std::min(kRowsMax, table_bytes / kRowBytes);
  MemRig rig(options, samples, table_bytes);
  MemTable mapped(rig, RegionKind::mapped, table_bytes, rows, kRowBytes);
  mapped.verify(kRowBytes);
  std::vector<Contender> contenders{
      {"gpuio", [&](unsigned pair) { return mapped.move(Move::gather, kRowBytes, pair % 2, 2, false); }}};
  rig.join(contenders, "first touch of managed memory", {rig.way("first touch of managed memory", [&](unsigned pair) {
             return fmt::format("migrate {} {} {}", kRowBytes, std::min(kMigratedRowsMax, rows), pair);
           })});
  alternate(samples, contenders, options.rounds_or(3));
}

}  // namespace gpuio::bench
