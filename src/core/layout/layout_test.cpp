// SPDX-License-Identifier: Apache-2.0
#include "gpuio/layout.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace gpuio {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

TEST(Layout, DefaultIsWholeAndHasNoSizeOfItsOwn) {
  const Layout layout;
  EXPECT_TRUE(layout.is_whole());
  EXPECT_EQ(layout.size_bytes(), 0U);
  EXPECT_EQ(layout.count(), 0U);
}

TEST(Layout, ContiguousIsOnePieceUpToItsEnd) {
  const Layout layout = Layout::contiguous(100, 50);
  EXPECT_FALSE(layout.is_whole());
  EXPECT_EQ(layout.count(), 1U);
  EXPECT_EQ(layout.at(0), (Extent{100, 50}));
  EXPECT_EQ(layout.size_bytes(), 50U);
  EXPECT_EQ(layout.end(), 150U);
}

TEST(Layout, StridedEndsWithItsLastBlockNotItsLastStride) {
  const Layout layout = Layout::strided({.offset = 10, .block_bytes = 4, .stride_bytes = 16, .count = 3});
  EXPECT_EQ(layout.count(), 3U);
  EXPECT_EQ(layout.at(2), (Extent{42, 4}));
  EXPECT_EQ(layout.size_bytes(), 12U);
  EXPECT_EQ(layout.end(), 46U);
}

TEST(Layout, RowsKeepTheOrderAndRepetitionOfTheirIds) {
  const Layout layout = Layout::rows({.offset = 1000, .row_bytes = 8, .stride_bytes = 10, .ids = {7, 2, 7}});
  EXPECT_EQ(layout.count(), 3U);
  EXPECT_EQ(layout.at(0), (Extent{1070, 8}));
  EXPECT_EQ(layout.at(1), (Extent{1020, 8}));
  EXPECT_EQ(layout.at(2), (Extent{1070, 8}));
  EXPECT_EQ(layout.size_bytes(), 24U);
  EXPECT_EQ(layout.end(), 1078U);
}

TEST(Layout, RowsWithoutAStrideArePacked) {
  const Layout layout = Layout::rows({.offset = 0, .row_bytes = 8, .stride_bytes = 0, .ids = {3}});
  EXPECT_EQ(layout.at(0), (Extent{24, 8}));
}

TEST(Layout, ExtentsEndWithTheHighestByteWhateverTheirOrder) {
  const Layout layout = Layout::extents({{500, 10}, {0, 20}, {900, 0}});
  EXPECT_EQ(layout.count(), 3U);
  EXPECT_EQ(layout.size_bytes(), 30U);
  EXPECT_EQ(layout.end(), 510U) << "an empty extent names no byte";
}

TEST(Layout, EmptyShapesNameNothing) {
  for (const Layout& layout : {Layout::contiguous(7, 0), Layout::strided({7, 4, 8, 0}), Layout::strided({7, 0, 8, 3}),
                               Layout::rows({7, 4, 4, {}}), Layout::extents({})}) {
    EXPECT_FALSE(layout.is_whole());
    EXPECT_EQ(layout.size_bytes(), 0U);
    EXPECT_EQ(layout.end(), 0U);
  }
}

TEST(Layout, SizeAndEndSaturateInsteadOfWrapping) {
  EXPECT_EQ(Layout::contiguous(kMax - 1, 2).end(), kMax);
  EXPECT_EQ(Layout::contiguous(2, kMax).end(), kMax);
  EXPECT_EQ(Layout::strided({0, kMax / 2, 1, 3}).size_bytes(), kMax);
  EXPECT_EQ(Layout::strided({0, 1, kMax / 2, 4}).end(), kMax);
  EXPECT_EQ(Layout::rows({0, 16, 16, {kMax / 8}}).end(), kMax);
  EXPECT_EQ(Layout::extents({{0, kMax}, {0, 1}}).size_bytes(), kMax);
  EXPECT_EQ(Layout::extents({{0, 1}, {kMax, 1}}).end(), kMax);
}

TEST(Layout, CopiesShareTheirLists) {
  const Layout layout = Layout::extents(std::vector<Extent>(1000, Extent{0, 1}));
  const Layout copy = layout;  // NOLINT(performance-unnecessary-copy-initialization): the copy is what is tested
  EXPECT_EQ(copy.count(), 1000U);
  EXPECT_EQ(copy.at(999), (Extent{0, 1}));
}

}  // namespace
}  // namespace gpuio
