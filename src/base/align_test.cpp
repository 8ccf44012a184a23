// SPDX-License-Identifier: Apache-2.0
#include "base/align.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace gpuio::base {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

TEST(Align, RoundsToThePowerOfTwoBelowAndAbove) {
  for (const std::uint64_t alignment : {1ULL, 512ULL, 4096ULL, 1ULL << 40}) {
    for (const std::uint64_t value : {0ULL, 1ULL, 511ULL, 512ULL, 4095ULL, 4097ULL, (1ULL << 41) + 3}) {
      const std::uint64_t down = align_down(value, alignment);
      const std::uint64_t up = align_up(value, alignment);
      EXPECT_EQ(down % alignment, 0U);
      EXPECT_EQ(up % alignment, 0U);
      EXPECT_LE(down, value);
      EXPECT_GE(up, value);
      EXPECT_LT(value - down, alignment);
      EXPECT_LT(up - value, alignment);
      EXPECT_EQ(is_aligned(value, alignment), down == up);
    }
  }
}

TEST(Align, RoundingUpPastTheEndIsEmptyNotZero) {
  EXPECT_EQ(checked_align_up(kMax, std::uint64_t{4096}), std::nullopt);
  EXPECT_EQ(checked_align_up(kMax - 4095, std::uint64_t{4096}), kMax - 4095);
  EXPECT_EQ(checked_align_up(std::uint64_t{4097}, std::uint64_t{4096}), 8192U);
}

TEST(CheckedArithmetic, OverflowIsEmpty) {
  EXPECT_EQ(checked_add(kMax, std::uint64_t{1}), std::nullopt);
  EXPECT_EQ(checked_add(kMax - 1, std::uint64_t{1}), kMax);
  EXPECT_EQ(checked_multiply(std::uint64_t{1} << 32, std::uint64_t{1} << 32), std::nullopt);
  EXPECT_EQ(checked_multiply(std::uint64_t{1} << 32, std::uint64_t{1} << 31), std::uint64_t{1} << 63);
  EXPECT_EQ(checked_add(std::numeric_limits<std::int64_t>::min(), std::int64_t{-1}), std::nullopt);
}

TEST(CheckedArithmetic, SaturatingAddStopsAtTheLargest) {
  EXPECT_EQ(saturating_add(kMax - 1, std::uint64_t{5}), kMax);
  EXPECT_EQ(saturating_add(std::uint64_t{2}, std::uint64_t{5}), 7U);
}

TEST(CheckedArithmetic, DivideUpNeverOverflows) {
  EXPECT_EQ(divide_up(kMax, std::uint64_t{2}), std::uint64_t{1} << 63);
  EXPECT_EQ(divide_up(std::uint64_t{10}, std::uint64_t{5}), 2U);
  EXPECT_EQ(divide_up(std::uint64_t{11}, std::uint64_t{5}), 3U);
  EXPECT_EQ(divide_up(std::uint64_t{0}, std::uint64_t{5}), 0U);
}

}  // namespace
}  // namespace gpuio::base
