// SPDX-License-Identifier: Apache-2.0
#include "core/counters.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace gpuio::core {
namespace {

TEST(Counters, SumsWhatAllThreadsCountedByOperationTierAndDevice) {
  Counters counters;
  const std::uint16_t nvme = counters.tier_id("nvme");
  const std::uint16_t dram = counters.tier_id("dram");
  const std::uint16_t host = counters.device_id("host");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 1; i <= 1000; ++i) {
        counters.record(CountedOperation::read, nvme, host, 4096, i * 1000, i % 100 == 0);
        counters.record(CountedOperation::write, dram, host, 1, 5, false);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  const Statistics statistics = counters.read();
  ASSERT_EQ(statistics.operations.size(), 2U);
  const OperationStatistics& read = statistics.operations[0];
  EXPECT_EQ(read.operation, "read");
  EXPECT_EQ(read.tier, "nvme");
  EXPECT_EQ(read.device, "host");
  EXPECT_EQ(read.requests, 4000U);
  EXPECT_EQ(read.bytes, 4000U * 4096);
  EXPECT_EQ(read.failures, 40U);
  EXPECT_NEAR(static_cast<double>(read.latency_p50_ns), 500e3, 15e3);
  EXPECT_NEAR(static_cast<double>(read.latency_p99_ns), 990e3, 30e3);
  EXPECT_EQ(read.latency_max_ns, 1'000'000U);
  EXPECT_EQ(statistics.operations[1].operation, "write");
  EXPECT_EQ(statistics.operations[1].tier, "dram");
  EXPECT_EQ(statistics.operations[1].requests, 4000U);
}

TEST(Counters, ANameHasOneNumber) {
  Counters counters;
  EXPECT_EQ(counters.tier_id("nvme"), counters.tier_id("nvme"));
  EXPECT_NE(counters.tier_id("nvme"), counters.tier_id("dram"));
  EXPECT_NE(counters.device_id("host"), 0) << "0 is for what has no device";
}

TEST(Counters, NamesBeyondTheLimitShareOne) {
  Counters counters;
  for (int i = 0; i < 100; ++i) {
    const std::uint16_t id = counters.device_id("cuda:" + std::to_string(i));
    counters.record(CountedOperation::copy, 0, id, 10, 1, false);
  }
  const Statistics statistics = counters.read();
  ASSERT_EQ(statistics.operations.size(), Counters::kDevicesMax - 1);
  EXPECT_EQ(statistics.operations[0].device, "cuda:0");
  EXPECT_EQ(statistics.operations[0].tier, "none");
  EXPECT_EQ(statistics.operations[0].requests, 1U);
  EXPECT_EQ(statistics.operations.back().device, "other");
  EXPECT_EQ(statistics.operations.back().requests, 100U - (Counters::kDevicesMax - 2));
}

TEST(Counters, CountsOfEndedThreadsStayAndTheirShardsAreUsedAgain) {
  Counters counters;
  const std::size_t before = ::mallinfo2().uordblks;
  for (int i = 0; i < 2000; ++i) {  // a shard each would take 50 MB
    std::thread([&] { counters.record(CountedOperation::read, 0, 0, 1, 1, false); }).join();
  }
  EXPECT_LT(::mallinfo2().uordblks, before + 5'000'000);
  EXPECT_EQ(counters.read().operations.at(0).requests, 2000U);
}

TEST(Counters, SeveralOnOneThreadAreKeptApart) {
  Counters first;
  std::optional<Counters> second;
  for (std::uint64_t i = 0; i < 30; ++i) {
    second.emplace();  // at the same address as the one before it
    first.record(CountedOperation::read, 0, 0, 1, 1, false);
    second->record(CountedOperation::read, 0, 0, 2, 1, false);
    first.record(CountedOperation::read, 0, 0, 1, 1, false);
    ASSERT_EQ(second->read().operations.at(0).bytes, 2U);
  }
  EXPECT_EQ(first.read().operations.at(0).bytes, 60U);
}

TEST(Counters, ReadingBesideCountingSeesOnlyGrowth) {
  Counters counters;
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    while (!stop) counters.record(CountedOperation::read, 1, 1, 64, 100, false);
  });
  std::uint64_t last = 0;
  for (int i = 0; i < 30; ++i) {
    const Statistics statistics = counters.read();
    const std::uint64_t now = statistics.operations.empty() ? 0 : statistics.operations[0].requests;
    ASSERT_GE(now, last);
    last = now;
  }
  stop = true;
  writer.join();
}

TEST(Counters, TheCountersMayGoBeforeTheThread) {
  auto counters = std::make_unique<Counters>();
  std::atomic<int> step{0};
  std::thread thread([&] {
    counters->record(CountedOperation::read, 0, 0, 1, 1, false);
    step = 1;
    while (step != 2) std::this_thread::yield();
    Counters later;
    later.record(CountedOperation::read, 0, 0, 1, 1, false);
    EXPECT_EQ(later.read().operations.at(0).requests, 1U);
  });
  while (step != 1) std::this_thread::yield();
  counters.reset();
  step = 2;
  thread.join();
}

}  // namespace
}  // namespace gpuio::core
