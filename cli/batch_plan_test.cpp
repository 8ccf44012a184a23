// SPDX-License-Identifier: Apache-2.0
#include "cli/batch_plan.h"

#include <gtest/gtest.h>

namespace gpuio::cli {
namespace {

std::vector<Piece> pieces(const std::vector<std::uint64_t>& lengths) {
  std::vector<Piece> result;
  for (const std::uint64_t length : lengths) {
    result.push_back({.file = result.size(), .extent = {.offset = 1000, .length = length}, .tensor = ""});
  }
  return result;
}

/// What every plan must hold: each piece whole and in order, aligned, inside its batch, nothing overlapping.
void check(const std::vector<Piece>& all, const std::vector<LoadBatch>& batches, std::uint64_t memory_bytes) {
  std::vector<std::uint64_t> next(all.size(), 1000);
  for (const LoadBatch& batch : batches) {
    EXPECT_LE(batch.memory_bytes, memory_bytes);
    EXPECT_FALSE(batch.placements.empty());
    std::uint64_t end = 0;
    std::uint64_t bytes = 0;
    for (const Placement& placement : batch.placements) {
      EXPECT_EQ(placement.extent.offset, next[placement.piece]);
      EXPECT_EQ(placement.memory_offset % kPieceAlignment, 0U);
      EXPECT_GE(placement.memory_offset, end);
      end = placement.memory_offset + placement.extent.length;
      next[placement.piece] += placement.extent.length;
      bytes += placement.extent.length;
    }
    EXPECT_EQ(end, batch.memory_bytes);
    EXPECT_EQ(bytes, batch.bytes);
  }
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(next[i], 1000 + all[i].extent.length);
}

TEST(BatchPlan, WhatFitsIsOneBatch) {
  const auto all = pieces({100, 256, 1});
  const auto batches = plan_batches(all, 1 << 20);
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(batches[0].memory_bytes, 513U);
  check(all, batches, 1 << 20);
}

TEST(BatchPlan, APieceLargerThanMemoryIsCut) {
  const auto all = pieces({10'000});
  const auto batches = plan_batches(all, 4096);
  EXPECT_EQ(batches.size(), 3U);
  check(all, batches, 4096);
}

TEST(BatchPlan, EveryPieceArrivesWholeWhateverTheMemory) {
  const auto all = pieces({1, 255, 256, 257, 5000, 1, 1, 70'000, 3});
  for (std::uint64_t memory_bytes = 1; memory_bytes < 3000; memory_bytes += 97) {
    check(all, plan_batches(all, memory_bytes), memory_bytes);
  }
}

}  // namespace
}  // namespace gpuio::cli
