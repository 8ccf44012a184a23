// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cli/source.h"

namespace gpuio::cli {

/// A piece, or a part of one, and where in memory it goes.
struct Placement {
  std::size_t piece = 0;  ///< Position in Source::pieces.
  Extent extent;          ///< In the piece's file.
  std::uint64_t memory_offset = 0;
};

/// What is in memory at one time.
struct LoadBatch {
  std::vector<Placement> placements;
  std::uint64_t bytes = 0;
  std::uint64_t memory_bytes = 0;  ///< With the gaps that align the pieces.
};

/// Every piece starts at a multiple of this, as tensors should.
inline constexpr std::uint64_t kPieceAlignment = 256;

/// Lays `pieces` out in memory, in their order, in as few batches of at most `memory_bytes` (> 0) as it takes. A piece
/// that crosses the end of a batch is cut there.
std::vector<LoadBatch> plan_batches(std::span<const Piece> pieces, std::uint64_t memory_bytes);

}  // namespace gpuio::cli
