// SPDX-License-Identifier: Apache-2.0
#include "core/layout/layout_overlap.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace gpuio::core {
namespace {

constexpr std::uint64_t kSpace = 4000;

/// Marks every byte that a Layout names.
std::vector<bool> bytes_of(const PlacedLayout& placed, std::uint64_t whole_bytes) {
  std::vector<bool> named(kSpace);
  const auto mark = [&](const Extent& extent) {
    for (std::uint64_t i = 0; i < extent.length; ++i) named[placed.base + extent.offset + i] = true;
  };
  if (placed.layout.is_whole()) mark({0, whole_bytes});
  for (std::uint64_t i = 0; i < placed.layout.count(); ++i) mark(placed.layout.at(i));
  return named;
}

Layout random_layout(base::Random& random) {
  switch (random.uniform(5)) {
    case 0:
      return {};
    case 1:
      return Layout::contiguous(random.uniform(100), 60);
    case 2:
      return Layout::strided({random.uniform(100), 6, random.chance(0.5) ? 30 : random.uniform(40), 10});
    case 3: {
      Layout::Rows rows{random.uniform(100), 6, 6 + random.uniform(10), {}};
      for (int i = 0; i < 10; ++i) rows.ids.push_back(random.uniform(60));
      return Layout::rows(std::move(rows));
    }
    default: {
      std::vector<Extent> extents;
      for (int i = 0; i < 12; ++i) extents.push_back({random.uniform(1000), i < 6 ? 0 : random.uniform(20)});
      return Layout::extents(std::move(extents));
    }
  }
}

TEST(LayoutOverlap, EqualsComparingEveryByte) {
  base::Random random(7);
  int overlaps = 0;
  for (int round = 0; round < 20'000; ++round) {
    const Layout a = random_layout(random);
    const Layout b = random_layout(random);
    const PlacedLayout first{a, random.uniform(600)};
    const PlacedLayout second{b, random.uniform(600)};
    const auto marked = bytes_of(first, 60);
    const auto others = bytes_of(second, 60);
    bool expected = false;
    for (std::uint64_t i = 0; i < kSpace; ++i) expected = expected || (marked[i] && others[i]);
    ASSERT_EQ(layouts_overlap(first, second, 60), expected) << round;
    overlaps += expected ? 1 : 0;
  }
  EXPECT_GT(overlaps, 2000);
  EXPECT_LT(overlaps, 18'000);
}

TEST(LayoutOverlap, ColumnsOfAHugeMatrixAreToldApartAtOnce) {
  const Layout left = Layout::strided({0, 64, 4096, std::uint64_t{1} << 40U});
  const Layout right = Layout::strided({64, 64, 4096, std::uint64_t{1} << 40U});
  const Layout wide = Layout::strided({32, 64, 4096, std::uint64_t{1} << 40U});
  EXPECT_FALSE(layouts_overlap({left, 0}, {right, 0}, left.size_bytes()));
  EXPECT_TRUE(layouts_overlap({left, 0}, {wide, 0}, left.size_bytes()));
  EXPECT_TRUE(layouts_overlap({right, 0}, {left, 4096 + 64}, left.size_bytes()));
}

}  // namespace
}  // namespace gpuio::core
