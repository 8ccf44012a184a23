// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/random.h"
#include "base/testing/guarded_page.h"
#include "core/copy/segments.kernel.h"
#include "core/launch/rows.kernel.h"

// The bodies with 32 lanes, run one lane after another: no lane of theirs waits for another, so what a warp would load
// and store can be checked on any machine.
namespace gpuio::core {
namespace {

struct WideLoopPolicy {
  static constexpr unsigned kLanes = 32;
  unsigned this_lane = 0;
  std::uint64_t group_count = 8;

  unsigned lane() const { return this_lane; }
  std::uint64_t groups() const { return group_count; }
  template <class Body>
  void for_each(std::uint64_t count, const Body& body) const {
    for (std::uint64_t i = 0; i < count; ++i) body(i);
  }
  static void store_shared(std::uint32_t* word, std::uint32_t value) { *word = value; }
};

template <class Run>
void on_all_lanes(Run&& run) {
  for (unsigned lane = 0; lane < WideLoopPolicy::kLanes; ++lane) run(WideLoopPolicy{lane});
}

std::vector<std::byte> random_bytes(base::Random& random, std::size_t bytes) {
  std::vector<std::byte> result(bytes);
  for (std::byte& byte : result) byte = static_cast<std::byte>(random.next());
  return result;
}

TEST(Lanes, CopyBytesTouchesWhatItShouldAtEveryAlignment) {
  base::Random random(1);
  for (std::size_t source_skew = 0; source_skew < 16; ++source_skew) {
    for (std::size_t skew = 0; skew < 16; ++skew) {
      const std::size_t bytes = random.uniform(5000);
      const auto source = random_bytes(random, bytes + 64);
      auto destination = random_bytes(random, bytes + 64);
      auto expected = destination;
      std::memcpy(expected.data() + skew, source.data() + source_skew, bytes);
      on_all_lanes([&](const WideLoopPolicy& policy) {
        copy_bytes(policy, source.data() + source_skew, destination.data() + skew, bytes);
      });
      ASSERT_EQ(destination, expected) << source_skew << ' ' << skew << ' ' << bytes;
    }
  }
}

TEST(Lanes, ShiftedLoadsStayInsideThePagesOfTheSource) {
  const base::testing::GuardedPage guarded(std::byte{0x3c});
  std::byte* const source = guarded.begin();
  const std::size_t page = guarded.size();
  std::vector<std::byte> destination(page + 16);
  for (std::size_t skew = 0; skew < 16; ++skew) {
    on_all_lanes([&](const WideLoopPolicy& policy) {
      copy_bytes(policy, source + skew, destination.data(), page - skew);  // To the page's last byte.
      copy_bytes(policy, source, destination.data() + skew, page);         // From its first.
    });
  }
  EXPECT_EQ(destination[page / 2], std::byte{0x3c});
}

/// A table of random rows and what should become of it, moved by 32 lanes.
struct RowsCase {
  std::uint64_t row_bytes;
  std::uint64_t stride_bytes;
  std::size_t table_skew;
  std::size_t packed_skew;
};

void expect_rows_move(base::Random& random, RowDirection direction, const RowsCase& row) {
  constexpr std::uint64_t kTableRows = 50;
  constexpr std::uint64_t kCount = 45;  // Less than whole warps of teams, whatever their size.
  auto table = random_bytes(random, row.table_skew + kTableRows * row.stride_bytes);
  auto packed = random_bytes(random, row.packed_skew + kCount * row.row_bytes);
  auto table_expected = table;
  auto packed_expected = packed;
  std::vector<std::uint64_t> ids(kCount);
  const std::uint64_t bad = random.uniform(kCount);
  for (std::uint64_t i = 0; i < kCount; ++i) {
    ids[i] = i == bad ? kTableRows : (i * 7) % kTableRows;  // All different: the order of a scatter is no matter.
    if (i == bad) continue;
    std::byte* in_table = table_expected.data() + row.table_skew + ids[i] * row.stride_bytes;
    std::byte* in_packed = packed_expected.data() + row.packed_skew + i * row.row_bytes;
    if (direction == RowDirection::gather) std::memcpy(in_packed, in_table, row.row_bytes);
    if (direction == RowDirection::scatter) std::memcpy(in_table, in_packed, row.row_bytes);
  }
  std::uint32_t status = 0;
  const spi::RowsArguments arguments{
      table.data() + row.table_skew,   kTableRows, row.row_bytes, row.stride_bytes, ids.data(), 8, 0, kCount,
      packed.data() + row.packed_skew, &status};
  on_all_lanes([&](const WideLoopPolicy& policy) {
    if (direction == RowDirection::gather) move_rows<RowDirection::gather>(policy, arguments);
    if (direction == RowDirection::scatter) move_rows<RowDirection::scatter>(policy, arguments);
  });
  ASSERT_TRUE(table == table_expected && packed == packed_expected)
      << "row " << row.row_bytes << " stride " << row.stride_bytes << " skews " << row.table_skew << ' '
      << row.packed_skew;
  EXPECT_EQ(status, bad + 1);
}

TEST(Lanes, RowsOfEveryUnitMove) {
  base::Random random(2);
  for (const std::uint64_t row_bytes :
       {1U, 3U, 4U, 8U, 12U, 16U, 24U, 48U, 64U, 100U, 128U, 264U, 512U, 528U, 656U, 1152U, 2048U, 4096U, 5000U}) {
    for (const std::uint64_t gap : {0U, 4U, 16U}) {
      expect_rows_move(random, RowDirection::gather, {row_bytes, row_bytes + gap, 0, 0});
      expect_rows_move(random, RowDirection::scatter, {row_bytes, row_bytes + gap, 0, 0});
    }
  }
}

TEST(Lanes, LongRowsMoveWhereverInACacheLineTheyBegin) {
  base::Random random(4);
  for (const std::uint64_t row_bytes : {264U, 656U, 2064U, 4104U}) {
    for (std::size_t skew = 0; skew < kLineBytes; skew += 8) {
      expect_rows_move(random, RowDirection::gather, {row_bytes, row_bytes, skew, 0});
      expect_rows_move(random, RowDirection::scatter, {row_bytes, row_bytes, skew, 8});
    }
  }
}

TEST(Lanes, ARowOfOneStepTakesNoMoreLanesThanItNeeds) {
  EXPECT_EQ(team_lanes(16, 16, 32), 1U);
  EXPECT_EQ(team_lanes(48, 16, 32), 4U);
  EXPECT_EQ(team_lanes(64, 16, 32), 4U);
  EXPECT_EQ(team_lanes(128, 16, 32), 8U);
  EXPECT_EQ(team_lanes(264, 8, 32), 32U);
  EXPECT_EQ(team_lanes(512, 16, 32), 32U);
  EXPECT_EQ(team_lanes(4096, 16, 32), 32U);
  EXPECT_EQ(team_lanes(3, 1, 32), 32U) << "a row of odd length has three parts, and takes a warp";
}

/// A unit that notes which lane loaded it from the table.
template <std::size_t kBytes>
struct alignas(kBytes) NotedUnit {
  static inline std::vector<unsigned> lane_of;  // By unit of the row.
  static inline const NotedUnit* row = nullptr;
  static inline unsigned lane = 0;

  NotedUnit& operator=(const NotedUnit& other) {
    bytes = other.bytes;
    const auto index = static_cast<std::size_t>(&other - row);
    if (index < lane_of.size()) lane_of[index] = lane;
    return *this;
  }
  std::array<std::byte, kBytes> bytes;
};

/// Requests that a warp makes of a row that begins `into_line` bytes after a line does: lines touched by each step, and
/// a step ends where the lanes begin anew.
template <std::size_t kUnitBytes>
std::size_t requests(std::size_t into_line, std::size_t row_bytes) {
  using Unit = NotedUnit<kUnitBytes>;
  struct alignas(kLineBytes) Line {
    std::array<std::byte, kLineBytes> bytes;
  };
  std::vector<Line> table(row_bytes / kLineBytes + 2);
  std::vector<Line> packed(row_bytes / kLineBytes + 1);
  std::byte* row = table.front().bytes.data() + into_line;
  const std::uint32_t id = 0;
  const spi::RowsArguments rows{row, 1, row_bytes, row_bytes, &id, 4, 0, 1, packed.front().bytes.data(), nullptr};
  Unit::row = reinterpret_cast<const Unit*>(row);
  Unit::lane_of.assign(row_bytes / kUnitBytes, UINT_MAX);
  on_all_lanes([&](const WideLoopPolicy& policy) {
    Unit::lane = policy.lane();
    move_long_rows<RowDirection::gather, std::uint32_t, Unit>(policy, rows);
  });
  std::size_t count = 0;
  std::size_t line_before = SIZE_MAX;
  for (std::size_t i = 0; i < Unit::lane_of.size(); ++i) {
    const std::size_t line = (into_line + i * kUnitBytes) / kLineBytes;
    const bool new_step = i > 0 && Unit::lane_of[i] < Unit::lane_of[i - 1];
    if (line != line_before || new_step) ++count;
    line_before = line;
  }
  return count;
}

TEST(Lanes, NoLineOfALongRowIsAskedForTwice) {
  for (std::size_t at = 0; at < kLineBytes; at += 8) EXPECT_EQ(requests<8>(at, 264), 3U) << at;
  for (std::size_t at = 0; at < kLineBytes; at += 16) EXPECT_EQ(requests<16>(at, 656), 6U) << at;
  EXPECT_EQ(requests<16>(0, 4096), 32U);
  EXPECT_EQ(requests<16>(16, 4096), 33U);
}

TEST(Lanes, SlicesOfFewSegmentsCoverThemExactly) {
  base::Random random(3);
  for (int round = 0; round < 50; ++round) {
    const auto source = random_bytes(random, 100'000);
    std::vector<std::byte> destination(100'000);
    auto expected = destination;
    std::vector<spi::MoveSegment> list;
    for (std::uint64_t at = 0; list.size() < 3;) {
      const std::uint64_t bytes = random.uniform(30'000);
      list.push_back({source.data() + at, destination.data() + at, bytes});
      std::memcpy(expected.data() + at, source.data() + at, bytes);
      at += bytes + random.uniform(100);
    }
    const spi::SegmentsArguments arguments{list.data(), list.size()};
    on_all_lanes([&](WideLoopPolicy policy) {
      policy.group_count = 64;
      move_segments(policy, arguments);
    });
    EXPECT_TRUE(destination == expected);
  }
}

}  // namespace
}  // namespace gpuio::core
