// SPDX-License-Identifier: Apache-2.0
// mem.gpu.rows: random rows of a table in host memory, gathered and scattered by kernels: mapped and pinned Regions
// against a minimal kernel over the best kind of memory, cudaHostAlloc's memory and a pinned torch tensor.

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "gpu/measurements.h"
#include "gpu/mem_rig.h"
#include "gpu/mem_table.h"

namespace gpuio::bench {
namespace {

constexpr std::uint64_t kTableBytes = std::uint64_t{16} << 30;
constexpr std::uint64_t kRowsMax = 1'000'000;
constexpr std::uint64_t kLongestRowBytes = 4096;
constexpr unsigned kSets = 2;  ///< Of ids, taken in turn, the same for both of a pair.

/// One row length and direction, and how often a sample repeats it.
struct Case {
  Move move;
  std::uint64_t row_bytes;
  unsigned launches;
  std::uint64_t rows;

  [[nodiscard]] std::string_view verb() const { return move == Move::gather ? "gather" : "scatter"; }
  [[nodiscard]] std::string name(std::string_view who) const {
    return fmt::format("{}, {} {} B", who, verb(), row_bytes);
  }
};

Contender ours(MemTable& table, const Case& rows, std::string_view who, bool graph) {
  return {rows.name(who), [&table, rows, graph](unsigned pair) {
            return table.move(rows.move, rows.row_bytes, pair % kSets, rows.launches, graph);
          }};
}

/// The minimal kernel in each of the shapes that may be its best.
std::vector<Contender> minimal_kernel(MemRig& rig, const Case& rows, std::string_view memory, std::string_view form) {
  std::vector<Contender> forms;
  for (const auto& [blocks, threads] : {std::pair{1U, 1024U}, {2U, 1024U}, {4U, 512U}, {8U, 256U}}) {
    const std::string name = fmt::format("minimal kernel, {}, {}, {} blocks of {}", memory, form, blocks, threads);
    forms.push_back(
        rig.way(rows.name(name), [=, memory = std::string(memory), form = std::string(form)](unsigned pair) {
          return fmt::format("rows {} {} {} {} {} {} {} {} {}", memory, rows.verb(), rows.row_bytes, rows.rows,
                             pair % kSets, blocks, threads, rows.launches, form);
        }));
  }
  return forms;
}

Contender pinned_tensor(MemRig& rig, const Case& rows) {
  return rig.torch(rows.name("pinned torch tensor"), [rows](unsigned) {
    return fmt::format("gather {} {} {}", rows.row_bytes, rows.rows, rows.launches);
  });
}

void measure(MemRig& rig, MemTable& mapped, MemTable& pinned, const Case& rows, Samples& samples, unsigned rounds) {
  std::vector<Contender> contenders{ours(mapped, rows, "gpuio", false)};
  rig.join(contenders, rows.name("minimal kernel"), minimal_kernel(rig, rows, "managed", "plain"));
  contenders.push_back(ours(mapped, rows, "gpuio in a graph", true));
  rig.join(contenders, rows.name("minimal kernel in a graph"), minimal_kernel(rig, rows, "managed", "graph"));
  if (rows.move == Move::gather) {
    contenders.push_back(ours(pinned, rows, "gpuio, pinned", false));
    rig.join(contenders, rows.name("cudaHostAlloc"), minimal_kernel(rig, rows, "host_alloc", "plain"));
    rig.join(contenders, rows.name("pinned torch tensor"), {pinned_tensor(rig, rows)});
  }
  alternate(samples, contenders, rounds);
}

}  // namespace

void mem_gpu_rows(const Options& options, Samples& samples) {
  const std::uint64_t table_bytes = options.file_bytes_or(kTableBytes);
  const std::uint64_t rows = std::min(kRowsMax, table_bytes / kLongestRowBytes);
  MemRig rig(options, samples, table_bytes);
  MemTable mapped(rig, RegionKind::mapped, table_bytes, rows, kLongestRowBytes);
  MemTable pinned(rig, RegionKind::pinned, table_bytes, rows, kLongestRowBytes);
  for (const auto& [row_bytes, launches] :
       {std::pair{std::uint64_t{64}, 4U}, {128, 4U}, {264, 2U}, {512, 2U}, {656, 2U}, {4096, 1U}}) {
    mapped.verify(row_bytes);
    pinned.verify(row_bytes);
    for (const Move move : {Move::gather, Move::scatter}) {
      measure(rig, mapped, pinned, {move, row_bytes, launches, rows}, samples, options.rounds_or(8));
    }
  }
}

}  // namespace gpuio::bench
