// SPDX-License-Identifier: Apache-2.0
#include "cli/workers.h"

#include <atomic>
#include <csignal>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>
#include <poll.h>

#include "cli/interrupt.h"
#include "gpuio/status.hpp"

namespace gpuio::cli {
namespace {

TEST(RunWorkers, RunsEachOnce) {
  std::atomic<unsigned> seen{0};
  run_workers(5, [&](unsigned worker) { seen.fetch_add(1U << worker); });
  EXPECT_EQ(seen.load(), 0b11111U);
}

TEST(RunWorkers, RethrowsAWorkersErrorAfterAllHaveEnded) {
  std::atomic<unsigned> ended{0};
  const auto work = [&](unsigned worker) {
    ended.fetch_add(1);
    if (worker == 1) throw std::runtime_error("broken");
  };
  EXPECT_THROW(run_workers(3, work), std::runtime_error);
  EXPECT_EQ(ended.load(), 3U);
}

TEST(RunWorkers, TicksOnTheCallersThreadMeanwhile) {
  unsigned ticks = 0;
  const auto caller = std::this_thread::get_id();
  run_workers(
      1, [](unsigned) { std::this_thread::sleep_for(3 * kTick); },
      [&] {
        EXPECT_EQ(std::this_thread::get_id(), caller);
        ++ticks;
      });
  EXPECT_GE(ticks, 1U);
}

TEST(Interrupt, TheFirstSignalRaisesTheFlagAndWakesPollers) {
  const Interrupt interrupt;
  EXPECT_NO_THROW(interrupt.check());
  std::raise(SIGINT);
  EXPECT_EQ(interrupt.signal(), SIGINT);
  pollfd waker{.fd = interrupt.fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&waker, 1, 0), 1);
  EXPECT_THROW(interrupt.check(), Error);
}

TEST(InterruptDeathTest, TheSecondSignalEndsTheProcessAtOnce) {
  EXPECT_EXIT(
      {
        const Interrupt interrupt;
        std::raise(SIGINT);
        std::raise(SIGINT);
      },
      testing::ExitedWithCode(130), "");
}

}  // namespace
}  // namespace gpuio::cli
