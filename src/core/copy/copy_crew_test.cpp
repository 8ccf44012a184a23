// SPDX-License-Identifier: Apache-2.0
#include "core/copy/copy_crew.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <numeric>
#include <vector>

#include "base/random.h"
#include "core/executor/executor_fixtures.h"

namespace gpuio::core {
namespace {

constexpr std::uint64_t kMiB = 1U << 20U;

/// Keeps tasks until the test runs one, and where they were to go.
class HeldTasks final : public spi::Executor {
 public:
  explicit HeldTasks(unsigned workers, std::vector<spi::WorkerNode> nodes = {})
      : workers_(workers), nodes_(std::move(nodes)) {}

  struct Held {
    spi::Task* task;
    int node;
  };
  /// False if there was none.
  bool run(std::size_t index = 0) {
    if (held.empty()) return false;
    const Held chosen = held[index % held.size()];
    held.erase(held.begin() + static_cast<std::ptrdiff_t>(index % held.size()));
    chosen.task->run();
    return true;
  }
  std::deque<Held> held;
  bool others_wait = true;

  base::Clock& clock() noexcept override { return clock_; }
  unsigned workers() const noexcept override { return workers_; }
  void post(spi::Task& task) override { held.push_back({&task, -1}); }
  void post_near(spi::Task& task, int node) override { held.push_back({&task, node}); }
  bool tasks_wait() const noexcept override { return others_wait; }
  std::span<const spi::WorkerNode> worker_nodes() const noexcept override { return nodes_; }
  void attach(spi::Pollable& /*machine*/) override {}
  void detach(spi::Pollable& /*machine*/) override {}
  void wake() override {}
  bool wait(const std::atomic<std::uint32_t>& /*word*/, std::uint32_t /*value*/, std::uint64_t /*until*/) override {
    return false;
  }
  void notify(std::atomic<std::uint32_t>& /*word*/) override {}
  bool turn() override { return run(); }
  int wake_fd() const noexcept override { return -1; }

 private:
  base::SystemClock clock_;
  unsigned workers_;
  std::vector<spi::WorkerNode> nodes_;
};

struct CountingRun final : spi::Run {
  void finish() override { ++finished; }
  int finished = 0;
};

/// `bytes` from one vector to another, of the same size and as a whole.
struct Copy {
  explicit Copy(std::uint64_t bytes) : from(bytes), to(bytes) {
    base::Random random(bytes);
    for (std::uint64_t at = 0; at + 8 <= bytes; at += 8) {
      const std::uint64_t word = random.next() | 1;
      std::memcpy(from.data() + at, &word, 8);
    }
  }
  [[nodiscard]] CopySpan span() {
    return {LayoutCursor(whole, whole, from.size()), from.size(), from.size(), from.data(), to.data(), {}};
  }
  Layout whole;
  std::vector<std::byte> from;
  std::vector<std::byte> to;
};

TEST(CopyCrew, MovesEveryByteOnceAndEndsOnceInWhateverOrderItsTasksRun) {
  base::Random random(1);
  for (const std::uint64_t bytes : {std::uint64_t{8}, 4096 + 8 * std::uint64_t{3}, kMiB, 23 * kMiB + 808}) {
    for (const unsigned workers : {0U, 1U, 3U, 40U}) {
      HeldTasks executor(workers);
      executor.others_wait = workers != 3;
      Copy copy(bytes);
      CountingRun run;
      CopyCrew crew;
      crew.start(copy.span(), run, executor);
      while (executor.run(random.uniform(64))) {
      }
      EXPECT_EQ(run.finished, 1);
      EXPECT_EQ(crew.moved_bytes(), bytes);
      EXPECT_TRUE(copy.to == copy.from) << bytes << " by " << workers;
    }
  }
}

TEST(CopyCrew, OtherTasksBeginAfterOnePartOfIt) {
  HeldTasks executor(1);
  Copy copy(32 * kMiB);
  CountingRun run;
  CopyCrew crew;
  crew.start(copy.span(), run, executor);
  bool ran = false;
  FunctionTask other([&] { ran = true; });
  executor.post(other);
  executor.run();
  executor.run();
  EXPECT_TRUE(ran);
  EXPECT_EQ(run.finished, 0);
  EXPECT_EQ(copy.to.back(), std::byte{0});
  while (executor.run()) {
  }
  EXPECT_EQ(run.finished, 1);
  EXPECT_TRUE(copy.to == copy.from);
}

TEST(CopyCrew, WhereNobodyWaitsATaskGoesOnToTheEnd) {
  HeldTasks executor(1);
  executor.others_wait = false;
  Copy copy(8 * kMiB);
  CountingRun run;
  CopyCrew crew;
  crew.start(copy.span(), run, executor);
  executor.run();
  EXPECT_EQ(run.finished, 1);
}

TEST(CopyCrew, WhatHasNotBegunIsLeftOutWhenItIsGivenUpAndTheNextSpanIsWhole) {
  HeldTasks executor(2);
  Copy copy(32 * kMiB);
  CountingRun run;
  CopyCrew crew;
  crew.start(copy.span(), run, executor);
  executor.run();
  crew.give_up();
  while (executor.run()) {
  }
  EXPECT_EQ(run.finished, 1);
  const std::uint64_t moved = crew.moved_bytes();
  ASSERT_GT(moved, 0U);
  ASSERT_LT(moved, copy.to.size());
  EXPECT_EQ(std::memcmp(copy.to.data(), copy.from.data(), moved), 0);
  EXPECT_EQ(copy.to[moved], std::byte{0});
  crew.start(copy.span(), run, executor);
  while (executor.run()) {
  }
  EXPECT_EQ(run.finished, 2);
  EXPECT_TRUE(copy.to == copy.from);
}

/// Pages by their addresses: ranges on nodes, none elsewhere.
class FakePages final : public PlacementSystem {
 public:
  struct Range {
    const std::byte* begin;
    std::uint64_t bytes;
    int node;
  };
  std::vector<Range> ranges;
  int error = 0;

  int query(std::span<void* const> pages, std::span<int> places) override {
    for (std::size_t i = 0; i < pages.size(); ++i) {
      places[i] = -ENOENT;
      const auto* const page = static_cast<const std::byte*>(pages[i]);
      for (const Range& range : ranges) {
        if (page >= range.begin && page < range.begin + range.bytes) places[i] = range.node;
      }
    }
    return error;
  }
  Result<Topology> topology() override { return Topology(); }
  std::optional<std::vector<std::uint32_t>> kernel_weights(std::span<const int> /*nodes*/) override { return {}; }
  std::size_t page_bytes() const noexcept override { return 4096; }
  int bind(std::byte* /*base*/, std::size_t /*bytes*/, MemoryMode /*mode*/, std::span<const int> /*nodes*/) override {
    return ENOSYS;
  }
  int touch(std::byte* /*base*/, std::size_t /*bytes*/) override { return ENOSYS; }
  int move(std::span<void* const> /*pages*/, std::span<const int> /*targets*/, std::span<int> /*places*/) override {
    return ENOSYS;
  }
  std::optional<std::uint64_t> huge_page_bytes(std::byte* /*base*/, std::size_t /*bytes*/) override { return {}; }
};

class CopyCrewOnNodes : public testing::Test {
 protected:
  /// Which nodes were asked for.
  [[nodiscard]] std::vector<int> start(CopyCrew& crew) {
    crew.start(copy_.span(), run_, executor_);
    std::vector<int> nodes;
    for (const HeldTasks::Held& held : executor_.held) nodes.push_back(held.node);
    return nodes;
  }
  void expect_ends() {
    while (executor_.run()) {
    }
    EXPECT_EQ(run_.finished, 1);
    EXPECT_TRUE(copy_.to == copy_.from);
  }

  HeldTasks executor_{6, {{0, 2}, {1, 4}}};
  FakePages pages_;
  Copy copy_{300 * kMiB / 8 + 24};
  CountingRun run_;
};

TEST_F(CopyCrewOnNodes, TheDestinationsNodeDoesItAlone) {
  pages_.ranges = {{copy_.from.data(), copy_.from.size(), 0}, {copy_.to.data(), copy_.to.size(), 1}};
  CopyCrew crew(pages_);
  EXPECT_EQ(start(crew), std::vector<int>(4, 1));
  expect_ends();
}

TEST_F(CopyCrewOnNodes, WhereNoWorkerIsNearTheDestinationTheSourcesNodeDoesIt) {
  pages_.ranges = {{copy_.from.data(), copy_.from.size(), 0}, {copy_.to.data(), copy_.to.size(), 2}};
  CopyCrew crew(pages_);
  EXPECT_EQ(start(crew), std::vector<int>(2, 0));
  expect_ends();
}

TEST_F(CopyCrewOnNodes, EachBeginsWithTheBytesThatAreNearIt) {
  const std::uint64_t half = 16 * kMiB;
  pages_.ranges = {{copy_.to.data(), half, 1}, {copy_.to.data() + half, copy_.to.size(), 0}};
  CopyCrew crew(pages_);
  EXPECT_EQ(start(crew), (std::vector<int>{0, 0, 1, 1, 1, 1}));
  executor_.run();  // one part, by a worker of node 0
  EXPECT_EQ(copy_.to[0], std::byte{0});
  EXPECT_EQ(std::memcmp(copy_.to.data() + half, copy_.from.data() + half, kMiB), 0);
  expect_ends();
}

TEST_F(CopyCrewOnNodes, WithoutAnAnswerAllWorkersDoIt) {
  pages_.error = EPERM;
  CopyCrew crew(pages_);
  EXPECT_EQ(start(crew).size(), 6U);
  expect_ends();
}

TEST_F(CopyCrewOnNodes, GivenUpAtOnceMovesNothing) {
  CopyCrew crew(pages_);
  EXPECT_FALSE(start(crew).empty());
  crew.give_up();
  while (executor_.run()) {
  }
  EXPECT_EQ(run_.finished, 1);
  EXPECT_EQ(crew.moved_bytes(), 0U);
  EXPECT_EQ(copy_.to[0], std::byte{0});
}

}  // namespace
}  // namespace gpuio::core
