// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <gtest/gtest.h>

namespace gpuio::base {
namespace {

TEST(Random, SameSeedSameNumbersOnEveryMachine) {
  Random random(1);
  EXPECT_EQ(random.next(), 0xb3f2af6d0fc710c5U);
  EXPECT_EQ(random.next(), 0x853b559647364ceaU);
  EXPECT_EQ(random.next(), 0x92f89756082a4514U);
  EXPECT_NE(Random(2).next(), Random(1).next());
}

TEST(Random, UniformReachesEveryValueEvenlyAndNoOther) {
  Random random(42);
  constexpr std::uint64_t kBound = 7;
  constexpr int kMean = 10'000;
  constexpr int kDraws = kMean * static_cast<int>(kBound);
  std::array<int, kBound> counts{};
  for (int i = 0; i < kDraws; ++i) ++counts.at(random.uniform(kBound));
  // Five standard deviations around the mean (sigma 93).
  for (const int count : counts) EXPECT_NEAR(count, kMean, 465);
  EXPECT_EQ(random.uniform(1), 0U);
}

TEST(Random, ChanceKeepsItsPromiseAtBothEnds) {
  Random random(3);
  int hits = 0;
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_FALSE(random.chance(0));
    ASSERT_TRUE(random.chance(1));
    hits += random.chance(0.25) ? 1 : 0;
  }
  EXPECT_NEAR(hits, 2500, 220);
}

TEST(Random, ForkedGeneratorDoesNotDisturbItsParent) {
  Random parent(9);
  Random twin(9);
  Random child = parent.fork();
  (void)twin.fork();
  for (int i = 0; i < 100; ++i) (void)child.next();
  EXPECT_EQ(parent.next(), twin.next());
}

}  // namespace
}  // namespace gpuio::base
