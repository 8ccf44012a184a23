// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/random.h"
#include "base/scope_exit.h"
#include "core/rows.kernel.h"
#include "core/segments.kernel.h"

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
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* mapped = mmap(nullptr, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(mapped, MAP_FAILED);
  const base::ScopeExit unmap([&] { munmap(mapped, 3 * page); });
  std::byte* source = static_cast<std::byte*>(mapped) + page;
  ASSERT_EQ(mprotect(source, page, PROT_READ | PROT_WRITE), 0);
  std::fill_n(source, page, std::byte{0x3c});
  std::vector<std::byte> destination(page + 16);
  for (std::size_t skew = 0; skew < 16; ++skew) {
    on_all_lanes([&](const WideLoopPolicy& policy) {
      copy_bytes(policy, source + skew, destination.data(), page - skew);  // To the page's last byte.
      copy_bytes(policy, source, destination.data() + skew, page);         // From its first.
    });
  }
  EXPECT_EQ(destination[page / 2], std::byte{0x3c});
}

TEST(Lanes, RowsOfEveryUnitMove) {
  base::Random random(2);
  for (const std::uint64_t row_bytes : {1U, 3U, 4U, 8U, 12U, 16U, 24U, 100U, 656U, 2048U, 5000U}) {
    const auto table = random_bytes(random, row_bytes * 20);
    std::vector<std::byte> packed(row_bytes * 10);
    std::vector<std::byte> expected(row_bytes * 10);
    std::vector<std::uint32_t> ids(10);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      ids[i] = static_cast<std::uint32_t>(random.uniform(20));
      std::memcpy(expected.data() + i * row_bytes, table.data() + ids[i] * row_bytes, row_bytes);
    }
    std::uint32_t status = 0;
    const spi::RowsArguments rows{
        const_cast<std::byte*>(table.data()), 20, row_bytes, row_bytes, ids.data(), 4, 0, 10, packed.data(), &status};
    on_all_lanes([&](const WideLoopPolicy& policy) { move_rows<RowDirection::gather>(policy, rows); });
    EXPECT_EQ(packed, expected) << row_bytes;
    EXPECT_EQ(status, 0U);
  }
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
