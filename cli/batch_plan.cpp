// SPDX-License-Identifier: Apache-2.0
#include "cli/batch_plan.h"

#include <algorithm>

namespace gpuio::cli {

std::vector<LoadBatch> plan_batches(std::span<const Piece> pieces, std::uint64_t memory_bytes) {
  std::vector<LoadBatch> batches(1);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    Extent rest = pieces[i].extent;
    while (rest.length > 0) {
      const std::uint64_t used = batches.back().memory_bytes;
      const std::uint64_t start = (used + kPieceAlignment - 1) / kPieceAlignment * kPieceAlignment;
      if (start >= memory_bytes) {
        batches.emplace_back();
        continue;
      }
      const std::uint64_t length = std::min(rest.length, memory_bytes - start);
      LoadBatch& batch = batches.back();
      batch.placements.push_back(
          {.piece = i, .extent = {.offset = rest.offset, .length = length}, .memory_offset = start});
      batch.bytes += length;
      batch.memory_bytes = start + length;
      rest = {.offset = rest.offset + length, .length = rest.length - length};
    }
  }
  return batches;
}

}  // namespace gpuio::cli
