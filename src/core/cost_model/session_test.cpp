// SPDX-License-Identifier: Apache-2.0
#include "core/cost_model/session.h"

#include <gtest/gtest.h>

#include <array>

#include "core/cost_model/steps.h"

namespace gpuio::core {
namespace {

class MeterTest : public testing::Test {
 protected:
  base::ManualClock clock_;
  Session session_{clock_, true};
};

TEST_F(MeterTest, KeepsTheBestPassSinceOthersOnlySlowItDown) {
  const std::array<std::uint64_t, 3> durations_ns{4'000'000, 2'000'000, 8'000'000};
  std::size_t pass = 0;
  const auto work = [&] {
    clock_.advance(durations_ns[pass++ % durations_ns.size()]);
    return Status();
  };
  EXPECT_DOUBLE_EQ(*Meter(session_).best_rate_of(1000, work), 1000 / 2e-3);
}

TEST_F(MeterTest, RepeatsShortPassesUntilTheBudgetIsSpentAndLongOnesThreeTimes) {
  int passes = 0;
  const auto measure = [&](std::uint64_t pass_ns) {
    passes = 0;
    const auto work = [&] {
      ++passes;
      clock_.advance(pass_ns);
      return Status();
    };
    EXPECT_TRUE(Meter(session_).best_rate_of(1, work).has_value());
    return passes;
  };
  EXPECT_EQ(measure(1'000'000), 6);
  EXPECT_EQ(measure(1'000'000'000), 3);
  session_.quick = false;
  EXPECT_EQ(measure(1'000'000), 100);
}

TEST_F(MeterTest, AFailedPassIsTheAnswer) {
  const auto result = Meter(session_).best_rate_of(1, [] { return Status(Code::device_lost, "gone"); });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::device_lost);
}

TEST_F(MeterTest, IsCancelledBetweenPasses) {
  int passes = 0;
  session_.cancelled = [&] { return passes == 2; };
  const auto result = Meter(session_).best_rate_of(1, [&] { return ++passes, Status(); });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::cancelled);
  EXPECT_EQ(passes, 2);
}

TEST_F(MeterTest, TimeThatStandsStillIsNoDivisionByZero) {
  const Result<double> rate = Meter(session_).best_rate([&]() -> Result<Pass> {
    clock_.advance(10'000'000);
    return Pass{1, 0};
  });
  EXPECT_DOUBLE_EQ(*rate, 1e9);
}

/// What a run of steps told, and did.
struct Story {
  std::vector<std::pair<std::string, double>> told;
  std::vector<int> ran;
};

std::vector<Step> three_steps(Story& story, const Status& second = {}) {
  std::vector<Step> steps;
  steps.push_back({"first", 1, [&story] { return story.ran.push_back(1), Status(); }});
  steps.push_back({"second", 2, [&story, second] { return story.ran.push_back(2), second; }});
  steps.push_back({"third", 1, [&story] { return story.ran.push_back(3), Status(); }});
  return steps;
}

ProgressFunction teller(Story& story, std::size_t times_max = 100) {
  return [&story, times_max](const CalibrationProgress& progress) {
    story.told.emplace_back(progress.step, progress.done);
    return story.told.size() < times_max;
  };
}

TEST(Steps, RunInOrderAndTellHowMuchIsDone) {
  Story story;
  ASSERT_TRUE(run_steps(three_steps(story), teller(story)).ok());
  EXPECT_EQ(story.ran, (std::vector{1, 2, 3}));
  const std::vector<std::pair<std::string, double>> expected{
      {"first", 0}, {"second", 0.25}, {"third", 0.75}, {"done", 1}};
  EXPECT_EQ(story.told, expected);
}

TEST(Steps, StopAtTheFirstThatFails) {
  Story story;
  const Status status = run_steps(three_steps(story, Status(Code::device_error, "no")), teller(story));
  EXPECT_EQ(status.code(), Code::device_error);
  EXPECT_EQ(story.ran, (std::vector{1, 2}));
}

TEST(Steps, StopWhenTheCallerWantsNoMore) {
  Story story;
  EXPECT_EQ(run_steps(three_steps(story), teller(story, 2)).code(), Code::cancelled);
  EXPECT_EQ(story.ran, std::vector{1});
}

TEST(Steps, AreDestroyedAsSoonAsTheyHaveRun) {
  auto memory = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = memory;
  std::vector<Step> steps;
  steps.push_back({"holds", 1, [memory = std::move(memory)] {
                     return *memory == 1 ? Status() : Status(Code::internal, "it is gone");
                   }});
  bool held = true;
  steps.push_back({"looks", 1, [&] { return held = !watch.expired(), Status(); }});
  ASSERT_TRUE(run_steps(std::move(steps), {}).ok());
  EXPECT_FALSE(held);
}

}  // namespace
}  // namespace gpuio::core
