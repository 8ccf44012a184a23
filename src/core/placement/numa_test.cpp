// SPDX-License-Identifier: Apache-2.0
#include "core/placement/numa.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <cstring>
#include <thread>
#include <vector>

#include "core/memory/host_pages.h"

namespace gpuio::core {
namespace {

constexpr int kNoSuchNode = 4095;

TEST(Numa, TheNearestNodeExistsWhateverTheDeviceSays) {
  EXPECT_TRUE(numa::exists(numa::nearest(-1)));
  EXPECT_TRUE(numa::exists(numa::nearest(kNoSuchNode)));
}

TEST(Numa, ANodeThatExistsIsItsOwnNearest) {
  const int here = numa::nearest(-1);
  EXPECT_EQ(numa::nearest(here), here);
}

TEST(Numa, NodesThatAreNotDoNotExist) {
  EXPECT_FALSE(numa::exists(kNoSuchNode));
  EXPECT_FALSE(numa::exists(-1));
}

TEST(Numa, AThreadIsBoundToProcessorsOfTheNodeThatItMayUse) {
  const auto allowed = [] {
    cpu_set_t cpus;
    EXPECT_EQ(::sched_getaffinity(0, sizeof cpus, &cpus), 0);
    return static_cast<unsigned>(CPU_COUNT(&cpus));
  };
  unsigned sum = 0;
  const std::vector<numa::Processors> nodes = numa::processors();
  for (const numa::Processors& node : nodes) {
    sum += node.count;
    std::jthread([&] {
      numa::run_on(node.node);
      EXPECT_EQ(allowed(), node.count);
    }).join();
  }
  EXPECT_NE(nodes.size(), 1U);
  EXPECT_TRUE(nodes.empty() || sum == allowed());
  numa::run_on(kNoSuchNode);
  EXPECT_NE(allowed(), 0U);
}

TEST(HostPages, AreZeroWholePagesAndOnAHugePageBoundaryWhereOneFits) {
  const HostPages pages = HostPages::map((2U << 20U) + 1, 0).value();
  EXPECT_EQ(pages.size() % 4096, 0U);
  EXPECT_GT(pages.size(), 2U << 20U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pages.base()) % (2U << 20U), 0U);
  EXPECT_EQ(pages.base()[pages.size() - 1], std::byte{0});
}

TEST(HostPages, MoreThanThereIsFailsWithOutOfMemory) {
  EXPECT_EQ(HostPages::map(std::size_t{1} << 60U, 0).error().code(), Code::out_of_memory);
}

TEST(HostPages, MovingLeavesOneOwner) {
  HostPages first = HostPages::map(4096, 0).value();
  std::byte* const base = first.base();
  const HostPages second = std::move(first);
  EXPECT_EQ(second.base(), base);
  std::memset(second.base(), 1, second.size());
}

}  // namespace
}  // namespace gpuio::core
