// SPDX-License-Identifier: Apache-2.0
#include "cli/limits_probe.h"

#include <gtest/gtest.h>

namespace gpuio::cli {
namespace {

TEST(BoundOfLoad, HotBytesAreBoundByTheCopy) {
  const Bound bound = bound_of_load(1000, 0, 100, 10.0);
  EXPECT_DOUBLE_EQ(bound.seconds, 10);
  EXPECT_FALSE(bound.by_disk);
}

TEST(BoundOfLoad, ColdBytesAreBoundByTheSlowerOfBoth) {
  EXPECT_DOUBLE_EQ(bound_of_load(1000, 1000, 100, 10.0).seconds, 100);
  EXPECT_TRUE(bound_of_load(1000, 1000, 100, 10.0).by_disk);
  EXPECT_FALSE(bound_of_load(1000, 1000, 100, 1000.0).by_disk);
}

TEST(BoundOfLoad, OnlyWhatIsMissingPassesTheDisk) { EXPECT_DOUBLE_EQ(bound_of_load(1000, 500, 100, 10.0).seconds, 50); }

TEST(BoundOfLoad, AnUnknownDiskBoundsNothing) {
  EXPECT_DOUBLE_EQ(bound_of_load(1000, 1000, 100, std::nullopt).seconds, 10);
}

TEST(BoundOfLoad, NothingMeasuredIsNoBound) { EXPECT_EQ(bound_of_load(1000, 1000, 0, std::nullopt).seconds, 0); }

}  // namespace
}  // namespace gpuio::cli
