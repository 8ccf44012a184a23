// SPDX-License-Identifier: Apache-2.0
#include "core/memory/pinned_budget.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace gpuio::core {
namespace {

TEST(PinnedBudget, TakesAllOrNothing) {
  PinnedBudget budget(100);
  EXPECT_TRUE(budget.try_take(60));
  EXPECT_FALSE(budget.try_take(41));
  EXPECT_EQ(budget.now(), 60U);
  EXPECT_TRUE(budget.try_take(40));
  EXPECT_EQ(budget.room(), 0U);
}

TEST(PinnedBudget, HugeRequestDoesNotOverflowIntoYes) {
  PinnedBudget budget(100);
  ASSERT_TRUE(budget.try_take(1));
  EXPECT_FALSE(budget.try_take(~std::uint64_t{0}));
}

TEST(PinnedBudget, RemembersItsHighest) {
  PinnedBudget budget(100);
  ASSERT_TRUE(budget.try_take(70));
  budget.give(70);
  ASSERT_TRUE(budget.try_take(10));
  EXPECT_EQ(budget.now(), 10U);
  EXPECT_EQ(budget.max(), 70U);
}

TEST(PinnedBudget, ThreadsTogetherNeverPassTheLimit) {
  PinnedBudget budget(1000);
  std::vector<std::thread> threads;
  for (std::uint64_t t = 1; t <= 4; ++t) {
    threads.emplace_back([&budget, bytes = 100 * t] {
      for (int i = 0; i < 20000; ++i) {
        if (!budget.try_take(bytes)) continue;
        EXPECT_LE(budget.now(), 1000U);
        budget.give(bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(budget.now(), 0U);
  EXPECT_LE(budget.max(), 1000U);
  EXPECT_GE(budget.max(), 400U);
}

}  // namespace
}  // namespace gpuio::core
