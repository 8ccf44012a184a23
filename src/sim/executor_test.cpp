// SPDX-License-Identifier: Apache-2.0
#include "sim/executor.h"

#include <gtest/gtest.h>

#include <string>

namespace gpuio::sim {
namespace {

/// Writes its letter when it runs.
struct Letter final : spi::Task {
  Letter(std::string& to, char what) : text(to), letter(what) {}
  void run() override { text.push_back(letter); }
  std::string& text;
  char letter;
};

/// Raises a word at a time.
struct Alarm final : spi::Pollable {
  explicit Alarm(std::uint64_t when_ns) : at_ns(when_ns) {}
  std::uint64_t poll(std::uint64_t now_ns) override {
    if (now_ns < at_ns) return at_ns;
    word = 1;
    return spi::kNever;
  }
  std::uint64_t at_ns;
  std::atomic<std::uint32_t> word{0};
};

std::string order_of(std::uint64_t seed) {
  Executor executor(std::make_shared<Fate>(seed), {});
  std::string text;
  std::vector<std::unique_ptr<Letter>> letters;
  for (char letter = 'a'; letter <= 'p'; ++letter) {
    letters.push_back(std::make_unique<Letter>(text, letter));
    executor.post(*letters.back());
  }
  while (executor.turn()) {
  }
  return text;
}

TEST(SimExecutor, RunsTasksInAnOrderThatTheSeedDecides) {
  EXPECT_EQ(order_of(1), order_of(1));
  EXPECT_NE(order_of(1), order_of(2));
  EXPECT_EQ(order_of(1).size(), 16U);
}

TEST(SimExecutor, JumpsToTheNextMomentAtWhichAnythingIsDue) {
  Executor executor(std::make_shared<Fate>(1), {});
  Alarm alarm(5'000'000'000);
  executor.attach(alarm);
  EXPECT_TRUE(executor.wait(alarm.word, 0, spi::kNever));
  EXPECT_GE(executor.clock().now_ns(), 5'000'000'000U);
  EXPECT_LT(executor.steps(), 10U);
  executor.detach(alarm);
}

TEST(SimExecutor, GivesUpAWaitAtItsDeadline) {
  Executor executor(std::make_shared<Fate>(1), {});
  const std::atomic<std::uint32_t> word{0};
  EXPECT_FALSE(executor.wait(word, 0, 2'000'000));
  EXPECT_GE(executor.clock().now_ns(), 2'000'000U);
}

TEST(SimExecutorDeathTest, NamesTheSeedOfADeadlockAndOfAHang) {
  const std::atomic<std::uint32_t> word{0};
  EXPECT_DEATH(
      {
        Executor executor(std::make_shared<Fate>(77), {});
        executor.wait(word, 0, spi::kNever);
      },
      "deadlock.*seed=77");
  struct Restless final : spi::Pollable {
    std::uint64_t poll(std::uint64_t now_ns) override { return now_ns + 1'000'000; }
  };
  EXPECT_DEATH(
      {
        Executor executor(std::make_shared<Fate>(78), {.patience_ns = 1'000'000'000});
        Restless restless;
        executor.attach(restless);
        executor.wait(word, 0, spi::kNever);
      },
      "hang.*seed=78");
}

}  // namespace
}  // namespace gpuio::sim
