// SPDX-License-Identifier: Apache-2.0
#include "core/request/latency_window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "base/random.h"

namespace gpuio::core {
namespace {

constexpr std::uint64_t kMs = 1'000'000;

/// One disk: bytes pass one after the other at a fixed rate, and every operation takes `access_ns` besides, which
/// overlap.
struct Disk {
  double bytes_per_ns = 1.0;
  std::uint64_t access_ns = 80'000;
  double jitter = 0;  ///< Share by which a transfer's time varies.
};

struct Outcome {
  double bulk_bytes_per_ns = 0;
  std::uint64_t high_p99_ns = 0;
  std::uint64_t high_max_ns = 0;
};

/// Saturating bulk beside a 4 KiB read of high priority every `high_every_ns` (0: none), for `duration_ns`.
class Simulation {
 public:
  Simulation(const Disk& disk, std::uint64_t high_every_ns) : disk_(disk), high_every_ns_(high_every_ns) {}

  Outcome run(LatencyWindow& window, std::uint64_t start_ns, std::uint64_t duration_ns) {
    std::uint64_t next_high = high_every_ns_ == 0 ? ~0ULL : start_ns;
    std::vector<std::uint64_t> high_latencies;
    std::uint64_t bulk_bytes = 0;
    now_ = start_ns;
    free_at_ = std::max(free_at_, static_cast<double>(start_ns));
    while (now_ < start_ns + duration_ns) {
      const std::uint64_t limit = window.limit_bytes(now_);
      const std::uint64_t run_bytes = std::clamp<std::uint64_t>(limit / 4, 256U << 10U, 8U << 20U);
      while (in_flight_bytes_ < limit) start_bulk(run_bytes);
      if (next_high <= in_flight_.front().end_ns) {
        now_ = next_high;
        window.high_priority_seen(now_);
        high_latencies.push_back(finish_time(4096) - now_);
        next_high += high_every_ns_ / 2 + random_.uniform(high_every_ns_);
        continue;
      }
      const Operation done = in_flight_.front();
      in_flight_.pop_front();
      in_flight_bytes_ -= done.bytes;
      bulk_bytes += done.bytes;
      now_ = done.end_ns;
      window.completed(now_, done.bytes, now_ - done.start_ns);
    }
    Outcome outcome;
    outcome.bulk_bytes_per_ns = static_cast<double>(bulk_bytes) / static_cast<double>(now_ - start_ns);
    if (!high_latencies.empty()) {
      std::sort(high_latencies.begin(), high_latencies.end());
      outcome.high_p99_ns = high_latencies[high_latencies.size() * 99 / 100];
      outcome.high_max_ns = high_latencies.back();
    }
    return outcome;
  }

 private:
  struct Operation {
    std::uint64_t bytes = 0;
    std::uint64_t start_ns = 0;
    std::uint64_t end_ns = 0;
  };

  std::uint64_t finish_time(std::uint64_t bytes) {
    const double factor = 1.0 + disk_.jitter * (2.0 * random_.unit() - 1.0);
    free_at_ = std::max(free_at_, static_cast<double>(now_)) + factor * static_cast<double>(bytes) / disk_.bytes_per_ns;
    return static_cast<std::uint64_t>(free_at_) + disk_.access_ns;
  }

  void start_bulk(std::uint64_t bytes) {
    in_flight_.push_back({bytes, now_, finish_time(bytes)});
    in_flight_bytes_ += bytes;
  }

  Disk disk_;
  std::uint64_t high_every_ns_;
  base::Random random_{7};
  std::uint64_t now_ = 0;
  double free_at_ = 0;
  std::deque<Operation> in_flight_;
  std::uint64_t in_flight_bytes_ = 0;
};

Outcome run_fresh(const Disk& disk, std::uint64_t high_every_ns, std::uint64_t duration_ns) {
  LatencyWindow window;
  return Simulation(disk, high_every_ns).run(window, 1000 * kMs, duration_ns);
}

TEST(LatencyWindow, AloneBulkHasTheFullDepth) {
  LatencyWindow window({.bytes_max = 32U << 20U});
  for (std::uint64_t i = 1; i < 1000; ++i) {
    window.completed(i * kMs, 1U << 20U, 50 * kMs);
    ASSERT_EQ(window.limit_bytes(i * kMs), 32U << 20U);
  }
}

TEST(LatencyWindow, HighPriorityTrafficIsForgottenAfterASecond) {
  LatencyWindow window;
  window.completed(10 * kMs, 1U << 20U, kMs);
  window.high_priority_seen(20 * kMs);
  EXPECT_LT(window.limit_bytes(20 * kMs), 64U << 20U);
  EXPECT_LT(window.limit_bytes(1019 * kMs), 64U << 20U);
  EXPECT_EQ(window.limit_bytes(1020 * kMs), 64U << 20U);
}

TEST(LatencyWindow, SmallReadsBesideBulkStayUnderFiveMillisecondsAndBulkKeepsItsShare) {
  for (const double rate : {0.2, 1.0, 1.4, 1.8, 7.0, 25.0}) {
    const Disk disk{.bytes_per_ns = rate, .jitter = 0.3};
    const Outcome alone = run_fresh(disk, 0, 3000 * kMs);
    const Outcome shared = run_fresh(disk, 2 * kMs, 25'000 * kMs);
    EXPECT_GE(shared.bulk_bytes_per_ns, 0.95 * alone.bulk_bytes_per_ns) << rate << " GB/s";
    if (rate >= 1.0) {
      EXPECT_LE(shared.high_p99_ns, 5 * kMs) << rate << " GB/s";
    }
  }
}

TEST(LatencyWindow, TheFullDepthDrainsOnceWhenHighPriorityTrafficComes) {
  const Disk disk{.bytes_per_ns = 1.2};
  LatencyWindow window;
  (void)Simulation(disk, 0).run(window, 1000 * kMs, 1000 * kMs);
  const Outcome shared = Simulation(disk, 2 * kMs).run(window, 2000 * kMs, 9000 * kMs);
  EXPECT_LE(shared.high_p99_ns, 5 * kMs);
}

TEST(LatencyWindow, ADistantStoreKeepsItsThroughputThoughNoWindowMeetsTheTarget) {
  const Disk disk{.bytes_per_ns = 1.0, .access_ns = 15 * kMs};
  const Outcome alone = run_fresh(disk, 0, 3000 * kMs);
  const Outcome shared = run_fresh(disk, 2 * kMs, 25'000 * kMs);
  EXPECT_GE(shared.bulk_bytes_per_ns, 0.85 * alone.bulk_bytes_per_ns);
}

TEST(LatencyWindow, FollowsADiskThatSlowsDown) {
  LatencyWindow window;
  Simulation fast({.bytes_per_ns = 4.0}, 2 * kMs);
  (void)fast.run(window, 1000 * kMs, 2000 * kMs);
  const std::uint64_t limit_fast = window.limit_bytes(3000 * kMs);
  Simulation slow({.bytes_per_ns = 1.0}, 2 * kMs);
  (void)slow.run(window, 3000 * kMs, 300 * kMs);
  const Outcome settled = slow.run(window, 3300 * kMs, 2000 * kMs);
  EXPECT_LE(settled.high_p99_ns, 5 * kMs);
  EXPECT_LT(window.limit_bytes(5300 * kMs), limit_fast / 2);
}

TEST(LatencyWindow, APauseOfBulkIsNotTakenForASlowDisk) {
  LatencyWindow window;
  Simulation simulation({.bytes_per_ns = 2.0}, 2 * kMs);
  (void)simulation.run(window, 1000 * kMs, 500 * kMs);
  const std::uint64_t before = window.limit_bytes(1500 * kMs);
  for (std::uint64_t time = 1500 * kMs; time < 9000 * kMs; time += 100 * kMs) window.high_priority_seen(time);
  window.completed(9000 * kMs, 1U << 20U, kMs);
  EXPECT_GE(window.limit_bytes(9000 * kMs), before * 9 / 10);
}

}  // namespace
}  // namespace gpuio::core
