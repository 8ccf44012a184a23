// SPDX-License-Identifier: Apache-2.0
#include "core/executor/thread_executor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <thread>
#include <vector>

#include "core/executor/executor_fixtures.h"

namespace gpuio::core {
namespace {

class ThreadExecutorTest : public testing::Test {
 protected:
  /// True once `word` is `value`; false after a minute.
  bool reaches(const std::atomic<std::uint32_t>& word, std::uint32_t value) {
    const std::uint64_t give_up_ns = clock_.now_ns() + 60'000 * kMs;
    while (word != value && clock_.now_ns() < give_up_ns) std::this_thread::yield();
    return word == value;
  }

  /// Lets the reactor come to rest: no polls for a while.
  void settle(const TestMachine& machine) {
    std::uint32_t polls = ~0U;
    while (polls != machine.polls) {
      polls = machine.polls;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  base::SystemClock clock_;
  std::unique_ptr<ThreadExecutor> executor_ = ThreadExecutor::start(clock_, {.workers = 2}).value();
};

TEST_F(ThreadExecutorTest, PollsAnAttachedMachineAndThenSleeps) {
  TestMachine machine;
  executor_->attach(machine);
  settle(machine);
  EXPECT_GE(machine.polls, 1U);
  const std::uint32_t polls = machine.polls;
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(machine.polls, polls);
  executor_->detach(machine);
}

TEST_F(ThreadExecutorTest, EveryWakeIsFollowedByAPollThatSeesWhatWasWrittenBefore) {
  std::atomic<std::uint32_t> written{0};
  std::atomic<std::uint32_t> seen{0};
  TestMachine machine([&](std::uint64_t) {
    seen = written.load(std::memory_order_relaxed);
    executor_->notify(seen);
    return spi::kNever;
  });
  executor_->attach(machine);
  for (std::uint32_t i = 1; i <= 20'000; ++i) {
    written.store(i, std::memory_order_relaxed);
    executor_->wake();
    if (i % 3 == 0) continue;
    for (std::uint32_t last = seen; last != i; last = seen) {
      ASSERT_TRUE(executor_->wait(seen, last, clock_.now_ns() + 60'000 * kMs)) << "lost wake " << i;
    }
  }
  executor_->detach(machine);
}

TEST_F(ThreadExecutorTest, ADescriptorThatAppearsWithAPollIsWatchedFromThenOn) {
  TestEvent event;
  std::atomic<std::uint32_t> events{0};
  TestMachine* self = nullptr;
  TestMachine machine([&](std::uint64_t) {
    self->fd = event.fd();
    if (event.clear()) ++events;
    return spi::kNever;
  });
  self = &machine;
  executor_->attach(machine);
  settle(machine);
  event.signal();
  EXPECT_TRUE(reaches(events, 1));
  settle(machine);
  event.signal();
  EXPECT_TRUE(reaches(events, 2));
  executor_->detach(machine);
}

TEST_F(ThreadExecutorTest, ADetachedMachinesDescriptorWakesNobody) {
  TestEvent event;
  TestMachine machine;
  machine.fd = event.fd();
  TestMachine other;
  executor_->attach(other);
  executor_->attach(machine);
  settle(machine);
  executor_->detach(machine);
  settle(other);
  const std::uint32_t polls = other.polls;
  event.signal();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(other.polls, polls);
  executor_->detach(other);
}

/// The processor may be somebody else's at that time, but not each time.
TEST_F(ThreadExecutorTest, WakesAtTheTimeThatPollReturnedAndNotAtTheNextMillisecond) {
  std::uint64_t wakes = 0;
  std::uint64_t least_late_ns = spi::kNever;
  std::uint64_t due_ns = 0;
  std::atomic<std::uint32_t> finished{0};
  TestMachine machine([&](std::uint64_t now_ns) {
    if (due_ns != 0 && now_ns < due_ns) return due_ns;
    if (due_ns != 0) {
      ++wakes;
      least_late_ns = std::min(least_late_ns, now_ns - due_ns);
    }
    if (wakes >= 50 && least_late_ns < kMs / 2) {
      finished = 1;
      return spi::kNever;
    }
    due_ns = now_ns + 300'000;
    return due_ns;
  });
  executor_->attach(machine);
  EXPECT_TRUE(reaches(finished, 1));
  executor_->detach(machine);
}

TEST_F(ThreadExecutorTest, DetachReturnsOnlyWhenThePollHasEnded) {
  for (int i = 0; i < 200; ++i) {
    std::atomic<bool> polling{false};
    auto machine = std::make_unique<TestMachine>([&](std::uint64_t now_ns) {
      polling = true;
      std::this_thread::yield();
      polling = false;
      return now_ns;
    });
    executor_->attach(*machine);
    while (machine->polls == 0) std::this_thread::yield();
    executor_->detach(*machine);
    EXPECT_FALSE(polling);
    const std::uint32_t polls = machine->polls;
    std::this_thread::yield();
    EXPECT_EQ(machine->polls, polls);
  }
}

TEST_F(ThreadExecutorTest, APollMayAttachAndDetachOtherMachines) {
  TestMachine child;
  std::atomic<std::uint32_t> step{0};
  TestMachine parent([&](std::uint64_t now_ns) {
    if (step == 0) {
      executor_->attach(child);
      step = 1;
    } else if (step == 1 && child.polls > 0) {
      executor_->detach(child);
      step = 2;
    }
    return step < 2 ? now_ns : spi::kNever;
  });
  executor_->attach(parent);
  ASSERT_TRUE(reaches(step, 2));
  executor_->detach(parent);
}

TEST_F(ThreadExecutorTest, WaitEndsWithTheChangeOrTheDeadline) {
  std::atomic<std::uint32_t> word{0};
  EXPECT_TRUE(executor_->wait(word, 7, spi::kNever)) << "already another value";
  const std::uint64_t before = clock_.now_ns();
  EXPECT_FALSE(executor_->wait(word, 0, before + 20 * kMs));
  EXPECT_GE(clock_.now_ns(), before + 20 * kMs);
  FunctionTask task([&] {
    word = 1;
    executor_->notify(word);
  });
  executor_->post(task);
  EXPECT_TRUE(executor_->wait(word, 0, spi::kNever));
}

TEST_F(ThreadExecutorTest, ManyWaitersOnOneWordAllWake) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<std::uint32_t> word{0};
    std::atomic<std::uint32_t> woken{0};
    std::vector<std::thread> waiters;
    for (int i = 0; i < 4; ++i) {
      waiters.emplace_back([&] {
        if (executor_->wait(word, 0, clock_.now_ns() + 60'000 * kMs)) ++woken;
      });
    }
    if (round % 2 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    word = 1;
    executor_->notify(word);
    for (std::thread& waiter : waiters) waiter.join();
    ASSERT_EQ(woken, 4U);
  }
}

TEST_F(ThreadExecutorTest, TheReactorThreadKnowsItselfAndNeverWaitsForItself) {
  std::atomic<std::uint32_t> finished{0};
  bool inside = false;
  bool waited = true;
  TestMachine machine([&](std::uint64_t) {
    std::atomic<std::uint32_t> word{0};
    inside = executor_->is_reactor_thread();
    waited = executor_->wait(word, 0, spi::kNever);
    finished = 1;
    return spi::kNever;
  });
  executor_->attach(machine);
  ASSERT_TRUE(reaches(finished, 1));
  executor_->detach(machine);
  EXPECT_TRUE(inside);
  EXPECT_FALSE(waited);
  EXPECT_FALSE(executor_->is_reactor_thread());
}

TEST_F(ThreadExecutorTest, TasksStillWakeTheReactorWhileItShutsDown) {
  std::atomic<std::uint32_t> ran{0};
  std::deque<FunctionTask> tasks;
  for (int i = 0; i < 100; ++i) {
    executor_->post(tasks.emplace_back([&, raw = executor_.get()] {
      raw->wake();
      ++ran;
    }));
  }
  executor_.reset();
  EXPECT_EQ(ran, 100U);
}

}  // namespace
}  // namespace gpuio::core
