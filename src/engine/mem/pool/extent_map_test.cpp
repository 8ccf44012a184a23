// SPDX-License-Identifier: Apache-2.0
#include "engine/mem/pool/extent_map.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace gpuio::pool {
namespace {

TEST(ExtentMap, NeighboursThatAreGivenBackBecomeOne) {
  ExtentMap map;
  map.give(0, 64);
  map.give(128, 64);
  EXPECT_EQ(map.extents(), 2U);
  EXPECT_FALSE(map.take(128));
  map.give(64, 64);
  EXPECT_EQ(map.extents(), 1U);
  EXPECT_EQ(map.take(192), 0U);
  EXPECT_EQ(map.free_bytes(), 0U);
}

TEST(ExtentMap, TakesFromTheSmallestThatIsLargeEnough) {
  ExtentMap map;
  map.give(0, 512);
  map.give(1024, 128);
  map.give(2048, 256);
  EXPECT_EQ(map.take(128), 1024U);
  EXPECT_EQ(map.take(200), 2048U);
  EXPECT_EQ(map.take(56), 2248U);
}

TEST(ExtentMap, APartIsTakenWholeOrNotAtAll) {
  ExtentMap map;
  map.give(100, 100);
  EXPECT_FALSE(map.take_part(90, 20));
  EXPECT_FALSE(map.take_part(190, 20));
  EXPECT_FALSE(map.take_part(300, 1));
  EXPECT_EQ(map.free_bytes(), 100U);
  EXPECT_TRUE(map.take_part(120, 30));
  EXPECT_EQ(map.extents(), 2U);
  EXPECT_FALSE(map.take_part(119, 2));
}

TEST(ExtentMap, RandomHistoriesAgreeWithAMapOfBytes) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    base::Random random(seed);
    ExtentMap map;
    std::vector<bool> free(400);
    std::vector<std::pair<std::uint64_t, std::uint64_t>> taken;
    map.give(0, free.size());
    free.assign(free.size(), true);
    for (int i = 0; i < 500; ++i) {
      const std::uint64_t bytes = 1 + random.uniform(40);
      if (random.chance(0.6)) {
        std::optional<std::uint64_t> offset = map.take(bytes);
        if (random.chance(0.1) && offset) {
          map.give(*offset, bytes);
          ASSERT_TRUE(map.take_part(*offset, bytes));
        }
        if (!offset) continue;
        for (std::uint64_t at = *offset; at < *offset + bytes; ++at) {
          ASSERT_TRUE(free[at]);
          free[at] = false;
        }
        taken.emplace_back(*offset, bytes);
      } else if (!taken.empty()) {
        std::swap(taken[random.uniform(taken.size())], taken.back());
        const auto [offset, given] = taken.back();
        taken.pop_back();
        map.give(offset, given);
        for (std::uint64_t at = offset; at < offset + given; ++at) free[at] = true;
      }
      ASSERT_EQ(map.free_bytes(), static_cast<std::uint64_t>(std::count(free.begin(), free.end(), true)));
    }
  }
}

}  // namespace
}  // namespace gpuio::pool
