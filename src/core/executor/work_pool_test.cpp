// SPDX-License-Identifier: Apache-2.0
#include "core/executor/work_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "core/executor/executor_fixtures.h"
#include "core/executor/futex.h"
#include "core/executor/thread.h"

namespace gpuio::core {
namespace {

/// Waits for the word, or fails the test instead of hanging it.
void expect_soon(const std::atomic<std::uint32_t>& word, std::uint32_t value) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (word.load() != value && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
  EXPECT_EQ(word.load(), value);
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

TEST(WorkPool, ZeroWorkersMeansOneForEachUsableCore) {
  EXPECT_EQ(WorkPool::start({}).value()->workers(), usable_cores());
  EXPECT_EQ(WorkPool::start({.workers = 3}).value()->workers(), 3U);
}

TEST(WorkPool, RunsEverythingThatManyThreadsPostExactlyOnce) {
  constexpr std::size_t kPosters = 4;
  constexpr std::size_t kTasks = 20'000;
  std::atomic<std::uint32_t> ran{0};
  std::vector<std::deque<FunctionTask>> tasks(kPosters);
  std::vector<std::vector<std::uint8_t>> runs(kPosters, std::vector<std::uint8_t>(kTasks));
  const std::unique_ptr<WorkPool> pool = WorkPool::start({.workers = 4}).value();
  std::vector<std::thread> posters;
  for (std::size_t p = 0; p < kPosters; ++p) {
    posters.emplace_back([&, p] {
      for (std::size_t i = 0; i < kTasks; ++i) {
        pool->post(tasks[p].emplace_back([&, p, i] {
          ++runs[p][i];
          ran.fetch_add(1);
        }));
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  expect_soon(ran, kPosters * kTasks);
  for (const auto& poster : runs) {
    for (const std::uint8_t count : poster) ASSERT_EQ(count, 1);
  }
}

TEST(WorkPool, ABlockedWorkersQueueIsStolen) {
  std::atomic<std::uint32_t> gate{0};
  std::atomic<std::uint32_t> ran{0};
  std::deque<FunctionTask> tasks;
  std::unique_ptr<WorkPool> pool;
  FunctionTask blocker([&] {
    // Posted from a worker, these go to its own queue, which it does not come back to.
    for (int i = 0; i < 100; ++i) pool->post(tasks.emplace_back([&] { ran.fetch_add(1); }));
    while (gate.load() == 0) futex_wait(gate, 0, spi::kNever);
  });
  pool = WorkPool::start({.workers = 2}).value();
  pool->post(blocker);
  expect_soon(ran, 100);
  gate = 1;
  futex_wake(gate);
  pool.reset();  // before the tasks
}

TEST(WorkPool, SleepersAreWokenForEveryBurst) {
  const std::unique_ptr<WorkPool> pool = WorkPool::start({.workers = 4}).value();
  for (int burst = 0; burst < 2000; ++burst) {
    std::atomic<std::uint32_t> ran{0};
    std::deque<FunctionTask> tasks;
    for (int i = 0; i < 8; ++i) pool->post(tasks.emplace_back([&] { ran.fetch_add(1); }));
    expect_soon(ran, 8);
    if (burst % 100 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST(WorkPool, ABlockingTaskOnEachWorkerRunsAtTheSameTime) {
  constexpr std::uint32_t kWorkers = 4;
  std::atomic<std::uint32_t> arrived{0};
  std::deque<FunctionTask> tasks;
  const std::unique_ptr<WorkPool> pool = WorkPool::start({.workers = kWorkers}).value();
  for (std::uint32_t i = 0; i < kWorkers; ++i) {
    pool->post(tasks.emplace_back([&] {
      arrived.fetch_add(1);
      expect_soon(arrived, kWorkers);  // ends only if each has a worker of its own
    }));
  }
  expect_soon(arrived, kWorkers);
}

TEST(WorkPool, ShutdownRunsWhatWasPostedAndWhatThatPosts) {
  std::atomic<std::uint32_t> ran{0};
  std::deque<FunctionTask> tasks;
  std::deque<FunctionTask> children;
  for (int i = 0; i < 1000; ++i) children.emplace_back([&] { ran.fetch_add(1); });
  {
    const std::unique_ptr<WorkPool> pool = WorkPool::start({.workers = 2}).value();
    for (std::size_t i = 0; i < 1000; ++i) {
      pool->post(tasks.emplace_back([&, i, raw = pool.get()] {
        ran.fetch_add(1);
        raw->post(children[i]);
      }));
    }
  }
  EXPECT_EQ(ran.load(), 2000U);
}

TEST(WorkPool, ATaskMayPostItselfAgainOrFreeItself) {
  struct Self final : spi::Task {
    Self(WorkPool& owner, std::atomic<std::uint32_t>& count) : pool(owner), ran(count) {}
    void run() override {
      if (ran.fetch_add(1) + 1 < 1000) return pool.post(*this);
      delete this;
    }
    WorkPool& pool;
    std::atomic<std::uint32_t>& ran;
  };
  std::atomic<std::uint32_t> ran{0};
  const std::unique_ptr<WorkPool> pool = WorkPool::start({.workers = 2}).value();
  pool->post(*new Self(*pool, ran));
  expect_soon(ran, 1000);
}

TEST(WorkPool, WorkersAreDealtToNodesAsTheirProcessorsAre) {
  // Binding to nodes that are not there leaves the threads where they are, so any machine has these.
  const std::unique_ptr<WorkPool> pool =
      WorkPool::start({.workers = 4, .nodes = {{.node = 700, .count = 2}, {.node = 701, .count = 6}}}).value();
  ASSERT_EQ(pool->nodes().size(), 2U);
  EXPECT_EQ(pool->nodes()[0].node, 700);
  EXPECT_EQ(pool->nodes()[0].workers, 1U);
  EXPECT_EQ(pool->nodes()[1].node, 701);
  EXPECT_EQ(pool->nodes()[1].workers, 3U);
  EXPECT_TRUE(WorkPool::start({.workers = 4}).value()->nodes().empty());
  EXPECT_TRUE(WorkPool::start({.workers = 1, .nodes = {{0, 1}, {1, 1}}}).value()->nodes().empty());
}

TEST(WorkPool, ATaskForANodeRunsThereWhileOneOfItsWorkersIsFree) {
  std::atomic<std::uint32_t> ran{0};
  std::atomic<std::uint32_t> gate{0};
  std::thread::id home;
  std::deque<FunctionTask> tasks;
  // One worker each; that of node 700 is kept busy, so only 701's can be asleep and called.
  const std::unique_ptr<WorkPool> pool = WorkPool::start({.workers = 2, .nodes = {{700, 1}, {701, 1}}}).value();
  pool->post_near(tasks.emplace_back([&] {
    home = std::this_thread::get_id();
    ran.fetch_add(1);
    while (gate.load() == 0) futex_wait(gate, 0, spi::kNever);
  }),
                  700);
  expect_soon(ran, 1);
  for (std::uint32_t i = 0; i < 100; ++i) {
    pool->post_near(tasks.emplace_back([&] {
      EXPECT_NE(std::this_thread::get_id(), home);
      ran.fetch_add(1);
    }),
                    700 + static_cast<int>(i % 2));
    expect_soon(ran, i + 2);  // those for 700 are stolen
  }
  gate = 1;
  futex_wake(gate);
}

TEST(WorkPool, IdleWorkersCostNoTime) {
  const std::unique_ptr<WorkPool> pool = WorkPool::start({}).value();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const double before = cpu_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(cpu_seconds() - before, 0.03);
}

}  // namespace
}  // namespace gpuio::core
