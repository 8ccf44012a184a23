// SPDX-License-Identifier: Apache-2.0
#include "engine/local/residency_map.h"

#include <gtest/gtest.h>

#include "engine/local/fake_storage.h"

namespace gpuio::local {
namespace {

class ResidencyMapTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kWindow = ResidencyMap::kWindowBytes;
  static constexpr std::uint64_t kFileBytes = 10 * kWindow + 5;

  ResidencyMap::Answer ask(std::uint64_t offset) { return map_.ask(offset, 4096, kFileBytes, now_); }

  testing::FakeFileSystem files_;
  ResidencyMap map_{files_, 1};
  std::uint64_t now_ = 1;
};

TEST_F(ResidencyMapTest, AResidentAnswerReachesAsFarAsIsKnownAndAColdOneAsFarAsWasAsked) {
  files_.resident_bytes = kFileBytes;
  EXPECT_EQ(ask(2 * kWindow + 7).length, kWindow - 7);
  EXPECT_EQ(ask(kWindow).length, 2 * kWindow);
  for (std::uint64_t window = 0; window <= 10; ++window) EXPECT_TRUE(ask(window * kWindow).resident);
  EXPECT_EQ(files_.resident_calls, 11);
  EXPECT_EQ(ask(1).length, kFileBytes - 1);
  EXPECT_EQ(ask(9 * kWindow + 1).length, kFileBytes - 9 * kWindow - 1);
  EXPECT_EQ(files_.resident_calls, 11);

  files_.resident_bytes = 0;
  now_ += ResidencyMap::kValidNs;
  EXPECT_FALSE(ask(kWindow).resident);
  EXPECT_EQ(ask(kWindow).length, 4096U);
  EXPECT_EQ(ask(0).length, 4096U);
}

TEST_F(ResidencyMapTest, AnAnswerHoldsNoLongerThanTheOldestLookBehindIt) {
  files_.resident_bytes = kFileBytes;
  EXPECT_TRUE(ask(kWindow).resident);
  now_ += ResidencyMap::kValidNs / 2;
  EXPECT_EQ(ask(0).length, 2 * kWindow);
  now_ += ResidencyMap::kValidNs / 2;
  EXPECT_EQ(ask(0).length, kWindow);
}

TEST_F(ResidencyMapTest, WhatIsResidentEachTimeIsLookedAtLessOften) {
  files_.resident_bytes = kFileBytes;
  for (; now_ < 60 * ResidencyMap::kValidNs; now_ += ResidencyMap::kValidNs / 2) EXPECT_TRUE(ask(0).resident);
  EXPECT_LE(files_.resident_calls, 6);
  files_.resident_bytes = 0;
  now_ += ResidencyMap::kValidMaxNs;
  EXPECT_FALSE(ask(0).resident);
  files_.resident_bytes = kFileBytes;
  EXPECT_FALSE(ask(0).resident);
  now_ += ResidencyMap::kValidNs;
  EXPECT_TRUE(ask(0).resident);
}

}  // namespace
}  // namespace gpuio::local
