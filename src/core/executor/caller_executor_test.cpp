// SPDX-License-Identifier: Apache-2.0
#include "core/executor/caller_executor.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <deque>
#include <thread>
#include <vector>

#include "core/executor/executor_fixtures.h"

namespace gpuio::core {
namespace {

class CallerExecutorTest : public testing::Test {
 protected:
  [[nodiscard]] bool readable(int timeout_ms = 0) const {
    pollfd entry{executor_->wake_fd(), POLLIN, 0};
    return ::poll(&entry, 1, timeout_ms) == 1;
  }

  /// Runs turns until nothing is left to do.
  void run_dry() {
    while (executor_->turn()) {
    }
  }

  [[nodiscard]] std::uint64_t in_a_minute() const { return clock_.now_ns() + 60'000 * kMs; }

  base::SystemClock clock_;
  std::unique_ptr<CallerExecutor> executor_ = CallerExecutor::create(clock_).value();
};

TEST_F(CallerExecutorTest, NothingRunsUntilSomebodyTurns) {
  TestMachine machine;
  std::uint32_t ran = 0;
  FunctionTask task([&] { ++ran; });
  executor_->attach(machine);
  executor_->post(task);
  EXPECT_EQ(executor_->workers(), 0U);
  EXPECT_EQ(ran, 0U);
  EXPECT_EQ(machine.polls, 0U);
  EXPECT_TRUE(executor_->turn());
  EXPECT_EQ(ran, 1U);
  EXPECT_EQ(machine.polls, 1U);
  EXPECT_FALSE(executor_->turn()) << "nothing was left to do";
  executor_->detach(machine);
}

TEST_F(CallerExecutorTest, TheDescriptorIsReadableExactlyWhenThereIsSomethingToDo) {
  EXPECT_FALSE(readable());
  FunctionTask task([] {});
  executor_->post(task);
  EXPECT_TRUE(readable());
  run_dry();
  EXPECT_FALSE(readable());
  executor_->wake();
  EXPECT_TRUE(readable());
  run_dry();
  EXPECT_FALSE(readable());
}

TEST_F(CallerExecutorTest, AMachinesDescriptorMakesTheExecutorsReadable) {
  TestEvent event;
  TestMachine machine([&](std::uint64_t) {
    (void)event.clear();
    return spi::kNever;
  });
  machine.fd = event.fd();
  executor_->attach(machine);
  run_dry();
  EXPECT_FALSE(readable());
  event.signal();
  EXPECT_TRUE(readable());
  EXPECT_TRUE(executor_->turn());
  EXPECT_FALSE(readable());
  executor_->detach(machine);
}

TEST_F(CallerExecutorTest, AMachinesTimeMakesTheDescriptorReadable) {
  std::uint64_t due_ns = 0;
  TestMachine machine([&](std::uint64_t now_ns) {
    if (due_ns == 0) due_ns = now_ns + 30 * kMs;
    return now_ns < due_ns ? due_ns : spi::kNever;
  });
  executor_->attach(machine);
  run_dry();
  EXPECT_TRUE(readable(60'000));
  EXPECT_GE(clock_.now_ns(), due_ns);
  run_dry();
  EXPECT_FALSE(readable());
  executor_->detach(machine);
}

TEST_F(CallerExecutorTest, AWakeFromWithinAPollIsNotLost) {
  TestMachine* self = nullptr;
  TestMachine machine([&](std::uint64_t) {
    if (self->polls < 5) executor_->wake();
    return spi::kNever;
  });
  self = &machine;
  executor_->attach(machine);
  while (readable()) executor_->turn();
  EXPECT_EQ(machine.polls, 5U);
  executor_->detach(machine);
}

TEST_F(CallerExecutorTest, WaitDrivesWhatChangesTheWord) {
  std::atomic<std::uint32_t> word{0};
  FunctionTask task([&] { executor_->wake(); });
  std::uint64_t due_ns = 0;
  TestMachine machine([&](std::uint64_t now_ns) -> std::uint64_t {
    if (due_ns == 0) {
      executor_->post(task);
      due_ns = now_ns + 5 * kMs;
    }
    if (now_ns < due_ns) return due_ns;
    word = 1;
    executor_->notify(word);
    return spi::kNever;
  });
  executor_->attach(machine);
  EXPECT_TRUE(executor_->wait(word, 0, in_a_minute()));
  EXPECT_LT(machine.polls, 20U) << "it sleeps until there is something to do";
  executor_->detach(machine);
}

TEST_F(CallerExecutorTest, WaitEndsAtItsDeadline) {
  std::atomic<std::uint32_t> word{0};
  const std::uint64_t before = clock_.now_ns();
  EXPECT_FALSE(executor_->wait(word, 0, before + 20 * kMs));
  EXPECT_GE(clock_.now_ns(), before + 20 * kMs);
}

TEST_F(CallerExecutorTest, AnotherThreadsNotifyEndsAWaitThatSleeps) {
  std::atomic<std::uint32_t> word{0};
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    word = 1;
    executor_->notify(word);
  });
  EXPECT_TRUE(executor_->wait(word, 0, in_a_minute()));
  other.join();
}

TEST_F(CallerExecutorTest, WhenTheDrivingThreadHasWhatItWantsAnotherDrivesOn) {
  constexpr std::size_t kThreads = 4;
  for (int round = 0; round < 100; ++round) {
    std::array<std::atomic<std::uint32_t>, kThreads> words{};
    std::size_t next = 0;
    TestMachine machine([&](std::uint64_t now_ns) -> std::uint64_t {
      if (next == kThreads) return spi::kNever;
      words[next] = 1;
      executor_->notify(words[next++]);
      return now_ns + kMs / 10;
    });
    std::atomic<std::uint32_t> changed{0};
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        if (executor_->wait(words[i], 0, in_a_minute())) ++changed;
      });
    }
    executor_->attach(machine);
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(changed, kThreads);
    executor_->detach(machine);
  }
}

TEST_F(CallerExecutorTest, ManyThreadsMayTurnButOneAtATimeRuns) {
  std::atomic<std::uint32_t> inside{0};
  std::atomic<std::uint32_t> ran{0};
  std::atomic<bool> overlapped{false};
  std::deque<FunctionTask> tasks;
  const auto body = [&] {
    if (++inside > 1) overlapped = true;
    ++ran;
    --inside;
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (ran < 3000) executor_->turn();
    });
  }
  for (int i = 0; i < 3000; ++i) executor_->post(tasks.emplace_back(body));
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ran, 3000U);
  EXPECT_FALSE(overlapped);
}

TEST_F(CallerExecutorTest, InsideATaskTurnAndWaitReturnAtOnce) {
  std::atomic<std::uint32_t> word{0};
  bool inside = false;
  bool turned = true;
  bool waited = true;
  FunctionTask task([&] {
    inside = executor_->is_reactor_thread();
    turned = executor_->turn();
    waited = executor_->wait(word, 0, spi::kNever);
  });
  executor_->post(task);
  EXPECT_TRUE(executor_->turn());
  EXPECT_TRUE(inside);
  EXPECT_FALSE(turned);
  EXPECT_FALSE(waited);
  EXPECT_FALSE(executor_->is_reactor_thread());
}

TEST_F(CallerExecutorTest, ATaskThatPostsItselfDoesNotStarveTheMachines) {
  struct Again final : spi::Task {
    void run() override {
      if (machine->polls < 3) executor->post(*this);
    }
    CallerExecutor* executor = nullptr;
    TestMachine* machine = nullptr;
  };
  TestMachine machine;
  Again task;
  task.executor = executor_.get();
  task.machine = &machine;
  executor_->attach(machine);
  executor_->post(task);
  run_dry();
  EXPECT_GE(machine.polls, 3U);
  executor_->detach(machine);
}

TEST_F(CallerExecutorTest, WhatIsStillPostedRunsWhenItGoes) {
  std::uint32_t ran = 0;
  FunctionTask child([&] { ++ran; });
  FunctionTask task([&, raw = executor_.get()] {
    ++ran;
    raw->post(child);
  });
  executor_->post(task);
  executor_.reset();
  EXPECT_EQ(ran, 2U);
}

}  // namespace
}  // namespace gpuio::core
