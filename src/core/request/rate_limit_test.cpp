// SPDX-License-Identifier: Apache-2.0
#include "core/request/rate_limit.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace gpuio::core {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

/// Sends `bytes` in pieces as fast as the limit lets them go; returns when the last one may follow.
std::uint64_t send(RateLimit& limit, base::ManualClock& clock, std::uint64_t bytes, std::uint64_t piece_bytes) {
  const std::uint64_t start = clock.now_ns();
  for (std::uint64_t sent = 0; sent < bytes; sent += piece_bytes) {
    clock.advance_to(limit.ready_at(clock.now_ns(), piece_bytes));
    limit.take(clock.now_ns(), piece_bytes);
  }
  return clock.now_ns() - start;
}

TEST(RateLimit, ZeroIsUnlimited) {
  RateLimit limit;
  base::ManualClock clock(5);
  EXPECT_EQ(send(limit, clock, 1ULL << 50U, 1ULL << 40U), 0U);
}

TEST(RateLimit, KeepsTheRateForSmallAndForLargePieces) {
  for (const std::uint64_t piece_bytes : {1'000U, 100'000U, 20'000'000U}) {
    RateLimit limit(100'000'000);
    base::ManualClock clock(kSecond);
    const std::uint64_t took = send(limit, clock, 1'000'000'000, piece_bytes);
    EXPECT_NEAR(static_cast<double>(took), 10.0 * kSecond, 0.25 * kSecond) << piece_bytes;
  }
}

TEST(RateLimit, LetsABurstGoAtOnceAndNoMore) {
  RateLimit limit(1'000'000'000);  // a burst is 10 MB
  base::ManualClock clock(kSecond);
  EXPECT_EQ(send(limit, clock, 10'000'000, 1'000'000), 0U);
  EXPECT_EQ(limit.ready_at(clock.now_ns(), 1'000'000), clock.now_ns() + 1'000'000);
}

TEST(RateLimit, AnIdleHourEarnsOneBurst) {
  RateLimit limit(1'000'000'000);
  base::ManualClock clock(kSecond);
  (void)send(limit, clock, 50'000'000, 1'000'000);
  clock.advance(3600 * kSecond);
  EXPECT_EQ(send(limit, clock, 10'000'000, 1'000'000), 0U);
  EXPECT_GT(limit.ready_at(clock.now_ns(), 1'000'000), clock.now_ns());
}

TEST(RateLimit, AHigherRateShortensTheWaitAtOnce) {
  RateLimit limit(1'000'000);
  base::ManualClock clock(kSecond);
  limit.take(clock.now_ns(), 1'010'000);
  EXPECT_EQ(limit.ready_at(clock.now_ns(), 10'000) - clock.now_ns(), kSecond + 10'000'000);
  limit.set_rate(100'000'000);
  EXPECT_LT(limit.ready_at(clock.now_ns(), 10'000) - clock.now_ns(), 11'000'000U);
}

TEST(RateLimit, ALowerRateHoldsFromNowOn) {
  RateLimit limit;
  base::ManualClock clock(kSecond);
  EXPECT_EQ(send(limit, clock, 1'000'000'000, 1'000'000), 0U);
  limit.set_rate(10'000'000);
  const std::uint64_t took = send(limit, clock, 10'000'000, 100'000);
  EXPECT_NEAR(static_cast<double>(took), 1.0 * kSecond, 0.02 * kSecond);
}

TEST(RateLimit, GoingBackToUnlimitedForgetsTheDebt) {
  RateLimit limit(1);
  limit.take(kSecond, 1'000'000);
  EXPECT_GT(limit.ready_at(kSecond, 1), kSecond);
  limit.set_rate(0);
  EXPECT_EQ(limit.ready_at(kSecond, 1), kSecond);
}

TEST(RateLimit, AnAbsurdWaitDoesNotWrapRound) {
  RateLimit limit(1);
  limit.take(kSecond, ~0ULL);
  EXPECT_GT(limit.ready_at(kSecond, 1), 1000 * kSecond);
}

}  // namespace
}  // namespace gpuio::core
