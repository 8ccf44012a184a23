// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <gtest/gtest.h>

namespace gpuio::base {
namespace {

TEST(SystemClock, AgreesWithTheKernelAndNeverGoesBack) {
  const SystemClock clock;
  std::uint64_t last = clock.now_ns();
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t now = clock.now_ns();
    ASSERT_GE(now, last);
    last = now;
  }
  timespec kernel{};
  ASSERT_EQ(::clock_gettime(CLOCK_MONOTONIC, &kernel), 0);
  const auto kernel_s = static_cast<std::uint64_t>(kernel.tv_sec);
  EXPECT_LE(last / 1'000'000'000, kernel_s);
  EXPECT_LE(kernel_s - last / 1'000'000'000, 60U);
}

TEST(ManualClock, MovesOnlyWhenTold) {
  ManualClock clock(5);
  EXPECT_EQ(clock.now_ns(), 5U);
  clock.advance(10);
  EXPECT_EQ(clock.now_ns(), 15U);
  clock.advance_to(100);
  EXPECT_EQ(clock.now_ns(), 100U);
  clock.advance_to(50);
  EXPECT_EQ(clock.now_ns(), 100U) << "time went back";
}

}  // namespace
}  // namespace gpuio::base
