// SPDX-License-Identifier: Apache-2.0
#include "core/layout/layout_cursor.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <vector>

#include "base/random.h"

namespace gpuio::core {
namespace {

constexpr std::uint64_t kAny = std::numeric_limits<std::uint64_t>::max();

/// The offset of every byte, in order: the slow and obvious meaning of a Layout.
std::vector<std::uint64_t> bytes_of(const Layout& layout, std::uint64_t whole_bytes) {
  std::vector<std::uint64_t> offsets;
  const auto add = [&](Extent extent) {
    for (std::uint64_t i = 0; i < extent.length; ++i) offsets.push_back(extent.offset + i);
  };
  if (layout.is_whole()) add({0, whole_bytes});
  for (std::uint64_t i = 0; i < layout.count(); ++i) add(layout.at(i));
  return offsets;
}

/// Extents of `bytes` in all, some of them empty, some touching the one before.
Layout random_extents(base::Random& random, std::uint64_t bytes) {
  std::vector<Extent> extents;
  std::uint64_t offset = random.uniform(100);
  while (bytes > 0) {
    const std::uint64_t length = std::min<std::uint64_t>(bytes, random.uniform(20));
    if (!random.chance(0.5)) offset = random.uniform(1000);
    extents.push_back({offset, length});
    offset += length;
    bytes -= length;
  }
  return Layout::extents(std::move(extents));
}

Layout random_layout(base::Random& random, std::uint64_t bytes) {
  switch (random.uniform(5)) {
    case 0:
      return {};
    case 1:
      return Layout::contiguous(random.uniform(1000), bytes);
    case 2:
      return Layout::strided({random.uniform(100), 6, 6 + random.uniform(2) * 4, bytes / 6});
    case 3: {
      Layout::Rows rows{random.uniform(100), 6, random.uniform(2) * 8, {}};
      for (std::uint64_t i = 0; i < bytes / 6; ++i) {
        rows.ids.push_back(random.chance(0.5) && i > 0 ? rows.ids.back() + 1 : random.uniform(50));
      }
      return Layout::rows(std::move(rows));
    }
    default:
      return random_extents(random, bytes);
  }
}

TEST(LayoutCursor, PairsEveryByteAsABytewiseWalkDoes) {
  base::Random random(1);
  for (int round = 0; round < 3000; ++round) {
    const std::uint64_t bytes = 6 * random.uniform(40);
    const Layout store = random_layout(random, bytes);
    const Layout memory = random_layout(random, bytes);
    const std::vector<std::uint64_t> store_bytes = bytes_of(store, bytes);
    const std::vector<std::uint64_t> memory_bytes = bytes_of(memory, bytes);
    ASSERT_EQ(store_bytes.size(), bytes);
    ASSERT_EQ(memory_bytes.size(), bytes);

    LayoutCursor cursor(store, memory, bytes);
    std::uint64_t position = 0;
    while (!cursor.done()) {
      ASSERT_EQ(cursor.remaining_bytes(), bytes - position);
      const std::uint64_t bytes_max = 1 + random.uniform(60);
      const LayoutCursor::Piece ahead = cursor.peek(bytes_max);
      const LayoutCursor::Piece piece = cursor.next(bytes_max);
      ASSERT_EQ(ahead, piece);
      ASSERT_GT(piece.bytes, 0U);
      ASSERT_LE(piece.bytes, bytes_max);
      for (std::uint64_t i = 0; i < piece.bytes; ++i, ++position) {
        ASSERT_EQ(store_bytes[position], piece.store_offset + i) << "round " << round;
        ASSERT_EQ(memory_bytes[position], piece.memory_offset + i) << "round " << round;
      }
      const bool could_go_on = position < bytes && piece.bytes < bytes_max &&
                               store_bytes[position] == piece.store_offset + piece.bytes &&
                               memory_bytes[position] == piece.memory_offset + piece.bytes;
      ASSERT_FALSE(could_go_on) << "a piece ended where both sides go on, round " << round;
    }
    ASSERT_EQ(position, bytes);
  }
}

TEST(LayoutCursor, CountsNeighboursThatTravelTogether) {
  const Layout store = Layout::extents({{0, 10}, {10, 10}, {0, 0}, {20, 10}, {100, 10}});
  const Layout memory;
  LayoutCursor cursor(store, memory, 40);
  EXPECT_EQ(cursor.next(kAny), (LayoutCursor::Piece{0, 0, 30, 2}));
  EXPECT_EQ(cursor.next(kAny), (LayoutCursor::Piece{100, 30, 10, 0}));
  EXPECT_TRUE(cursor.done());
}

TEST(LayoutCursor, DoesNotMergeWhereOnlyOneSideGoesOn) {
  const Layout store = Layout::contiguous(0, 20);
  const Layout memory = Layout::extents({{0, 10}, {50, 10}});
  LayoutCursor cursor(store, memory, 20);
  EXPECT_EQ(cursor.next(kAny), (LayoutCursor::Piece{0, 0, 10, 0}));
  EXPECT_EQ(cursor.next(kAny), (LayoutCursor::Piece{10, 50, 10, 0}));
}

TEST(LayoutCursor, ACopyIsASavedPosition) {
  const Layout store = Layout::strided({0, 4, 8, 10});
  const Layout memory;
  LayoutCursor cursor(store, memory, 40);
  (void)cursor.next(6);
  const LayoutCursor saved = cursor;
  const LayoutCursor::Piece first = cursor.next(kAny);
  cursor = saved;
  EXPECT_EQ(cursor.next(kAny), first);
}

TEST(LayoutCursor, SkippingIsPassingWithoutLooking) {
  base::Random random(2);
  for (int round = 0; round < 3000; ++round) {
    const std::uint64_t bytes = 6 * random.uniform(40);
    const Layout store = random_layout(random, bytes);
    const Layout memory = random_layout(random, bytes);
    LayoutCursor walked(store, memory, bytes);
    LayoutCursor skipped = walked;
    while (!walked.done()) {
      const std::uint64_t step = random.uniform(walked.remaining_bytes() + 1);
      for (std::uint64_t left = step; left > 0;) left -= walked.next(left).bytes;
      skipped.skip(step);
      ASSERT_EQ(skipped.remaining_bytes(), walked.remaining_bytes());
      if (walked.done()) break;
      ASSERT_EQ(skipped.store_offset(), walked.store_offset()) << "round " << round;
      ASSERT_EQ(skipped.memory_offset(), walked.memory_offset()) << "round " << round;
      ASSERT_EQ(skipped.peek(7), walked.peek(7));
    }
  }
}

TEST(LayoutCursor, TheStoreSideCountsFromItsBase) {
  const Layout store = Layout::rows({8, 4, 10, {3, 1}});
  const Layout memory;
  LayoutCursor cursor(store, memory, 8, 1000);
  EXPECT_EQ(cursor.store_offset(), 1038U);
  EXPECT_EQ(cursor.next(kAny), (LayoutCursor::Piece{1038, 0, 4, 0}));
  EXPECT_EQ(cursor.next(kAny), (LayoutCursor::Piece{1018, 4, 4, 0}));
  const Layout whole;
  EXPECT_EQ(LayoutCursor(whole, memory, 8, 77).store_offset(), 77U);
}

TEST(LayoutCursor, AHullReachesFromTheFirstByteToTheLast) {
  const Layout store = Layout::extents({{500, 10}, {100, 10}, {0, 0}, {300, 10}});
  const Layout memory;
  LayoutCursor cursor(store, memory, 30);
  EXPECT_EQ(cursor.store_hull(30), (Extent{100, 410}));
  EXPECT_EQ(cursor.store_hull(4), (Extent{500, 4}));
  cursor.skip(12);
  EXPECT_EQ(cursor.store_hull(18), (Extent{102, 208}));
}

TEST(LayoutCursor, OverflowingExtentsStopAtTheGivenTotal) {
  const Layout store = Layout::contiguous(kAny - 5, 100);
  const Layout memory;
  LayoutCursor cursor(store, memory, 100);
  EXPECT_EQ(cursor.next(kAny).bytes, 100U);
  EXPECT_TRUE(cursor.done());
}

TEST(LayoutCursor, AMillionExtentsCostTheSameFromFirstToLast) {
  constexpr std::uint64_t kCount = 1'000'000;
  std::vector<Extent> extents;
  for (std::uint64_t i = 0; i < kCount; ++i) extents.push_back({i * 2, 1});
  const Layout store = Layout::extents(std::move(extents));
  const Layout memory;
  LayoutCursor cursor(store, memory, kCount);
  const auto walk = [&cursor] {
    const auto start = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < kCount / 2; ++i) (void)cursor.next(kAny);
    return std::chrono::steady_clock::now() - start;
  };
  const auto first_half = walk();
  const auto second_half = walk();
  EXPECT_TRUE(cursor.done());
  // Anything that walks from the start again would be hundreds of thousands of times slower.
  EXPECT_LT(second_half, 100 * first_half + std::chrono::milliseconds(100));
}

}  // namespace
}  // namespace gpuio::core
