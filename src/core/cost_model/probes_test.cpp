// SPDX-License-Identifier: Apache-2.0
// The probes on this machine, in a hurry: numbers that can be, not numbers that are good.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "core/cost_model/device_probe.h"
#include "core/cost_model/memory_probe.h"
#include "core/testing/fake_device.h"

namespace gpuio::core {
namespace {

class Probes : public testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<MemoryProbe> start() const {
    auto probe = MemoryProbe::start(session_, usable_nodes().at(0));
    if (!probe) throw Error(probe.error());
    return *std::move(probe);
  }

  base::SystemClock clock_;
  Session session_{clock_, true};
};

TEST(Crew, AllBeginTogetherAndEachDoesItsPart) {
  constexpr unsigned kThreads = 3;
  const base::SystemClock clock;
  Result<Crew> crew = Crew::start(kThreads, -1);
  ASSERT_TRUE(crew);
  for (int round = 0; round < 100; ++round) {
    std::atomic<unsigned> present{0};
    std::vector<unsigned> seen(kThreads);
    (void)crew->run(clock, [&](unsigned thread) {
      ++present;
      while (present < kThreads) std::this_thread::yield();  // ends only if all are here at once
      seen[thread] = present;
    });
    EXPECT_EQ(seen, (std::vector<unsigned>(kThreads, kThreads)));
  }
}

TEST(Crew, TheTimeIsFromTheFirstsBeginningToTheLastsEnd) {
  base::ManualClock clock(1000);
  Result<Crew> crew = Crew::start(2, -1);
  ASSERT_TRUE(crew);
  const std::uint64_t took_ns = crew->run(clock, [&](unsigned thread) {
    if (thread == 1) clock.advance(70);
  });
  EXPECT_EQ(took_ns, 70U);
}

TEST(Crew, AHandOverTakesTime) {
  const base::SystemClock clock;
  Result<Crew> crew = Crew::start(1, -1);
  ASSERT_TRUE(crew);
  EXPECT_GT(crew->hand_over(clock), 0U);
}

TEST_F(Probes, MeasureEverythingOfANode) {
  const auto probe = start();
  ASSERT_TRUE(probe->measure_bandwidth().ok());
  ASSERT_TRUE(probe->measure_latency().ok());
  ASSERT_TRUE(probe->measure_rows().ok());
  ASSERT_TRUE(probe->measure_atomics().ok());
  const MemoryCost& cost = probe->cost();
  EXPECT_EQ(cost.one_thread.threads, 1U);
  for (const MemoryRates& rates : {cost.one_thread, cost.all_threads}) {
    EXPECT_GT(rates.read_bytes_per_second, 1e7);
    EXPECT_GT(rates.write_bytes_per_second, 1e7);
    EXPECT_GT(rates.copy_bytes_per_second, 1e7);
  }
  EXPECT_GT(cost.load_latency_ns, 0.5);
  EXPECT_LT(cost.load_latency_ns, 1e6);
  ASSERT_FALSE(cost.rows.empty());
  for (const RowRate& rate : cost.rows) EXPECT_GT(rate.one_thread_rows_per_second, 0) << rate.row_bytes;
  EXPECT_GT(cost.rows.front().one_thread_rows_per_second, cost.rows.back().one_thread_rows_per_second);
  EXPECT_GT(cost.atomics_per_second, 1e5);
  EXPECT_GT(cost.contended_atomics_per_second, 0);
}

TEST_F(Probes, MeasureTheProcessor) {
  const Result<ProcessorCost> cost = measure_processor(session_);
  ASSERT_TRUE(cost) << cost.error().to_string();
  EXPECT_GT(cost->hand_over_ns, 0);
  ASSERT_FALSE(cost->streaming.empty());
  for (const StreamingRate& rate : cost->streaming) EXPECT_GT(rate.cached_bytes_per_second, 0) << rate.bytes;
}

TEST_F(Probes, StopWhenCancelled) {
  const auto probe = start();
  session_.cancelled = [] { return true; };
  EXPECT_EQ(probe->measure_bandwidth().code(), Code::cancelled);
  EXPECT_EQ(measure_processor(session_).error().code(), Code::cancelled);
}

TEST_F(Probes, ANodeWithNothingFreeIsAnError) {
  UsableNode node = usable_nodes().at(0);
  node.free_bytes = 1U << 20U;
  EXPECT_EQ(MemoryProbe::start(session_, node).error().code(), Code::out_of_memory);
}

TEST_F(Probes, WhatADeviceRefusesIsReportedAndNothingOfItIsKept) {
  FakeDevice device;
  const Result<DeviceCost> cost = measure_device(session_, device);
  ASSERT_FALSE(cost);
  EXPECT_EQ(cost.error().code(), Code::unsupported);
  EXPECT_EQ(device.allocations(), 0U);
  EXPECT_EQ(device.registrations(), 0U);
  EXPECT_EQ(device.mistakes(), 0U);
}

}  // namespace
}  // namespace gpuio::core
