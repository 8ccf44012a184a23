// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <thread>
#include <vector>

namespace gpuio::base {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class RecordingSink final : public LogSink {
 public:
  void write(LogLevel level, std::string_view component, std::string_view message) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::string(to_string(level)) + " " + std::string(component) + ": " + std::string(message));
  }
  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

class LoggerTest : public testing::Test {
 protected:
  LoggerTest() { logger_.set_sink(sink_); }

  void log(LogLevel level, std::string_view component, const std::string& message) {
    if (logger_.admits(site_, level, component)) logger_.write(site_, level, component, message);
  }

  ManualClock clock_{5'000'000'000};
  std::shared_ptr<RecordingSink> sink_ = std::make_shared<RecordingSink>();
  Logger logger_{clock_};
  LogSite site_;
};

TEST_F(LoggerTest, WritesWarningsAndWorseByDefault) {
  log(LogLevel::info, "core", "quiet");
  log(LogLevel::warn, "core", "loud");
  log(LogLevel::error, "core", "louder");
  EXPECT_THAT(sink_->take(), ElementsAre("warn core: loud", "error core: louder"));
}

TEST_F(LoggerTest, LevelsOfComponentsOverrideTheLevelOfAll) {
  ASSERT_TRUE(logger_.set_levels("info, local=debug ,cuda=off").ok());
  log(LogLevel::debug, "core", "no");
  log(LogLevel::info, "core", "yes");
  log(LogLevel::debug, "local", "yes");
  log(LogLevel::trace, "local", "no");
  log(LogLevel::error, "cuda", "no");
  EXPECT_THAT(sink_->take(), ElementsAre("info core: yes", "debug local: yes"));
}

TEST_F(LoggerTest, BadLevelsAreNamedAndChangeNothing) {
  for (const char* levels : {"loud", "info,local=", "=debug", "", "info,,local=debug", "info;local=debug"}) {
    EXPECT_EQ(logger_.set_levels(levels).code(), Code::invalid_argument) << levels;
  }
  EXPECT_THAT(std::string(Logger::check_levels("info,local=loud").message()), HasSubstr("'loud'"));
  log(LogLevel::warn, "core", "still here");
  EXPECT_THAT(sink_->take(), ElementsAre("warn core: still here"));
}

TEST_F(LoggerTest, SiteWritesSoManyASecondThenTellsHowManyItDropped) {
  logger_.set_rate(2);
  for (int i = 0; i < 7; ++i) log(LogLevel::warn, "core", std::to_string(i));
  EXPECT_THAT(sink_->take(), ElementsAre("warn core: 0", "warn core: 1"));
  clock_.advance(999'999'999);
  log(LogLevel::warn, "core", "too early");
  clock_.advance(1);
  log(LogLevel::warn, "core", "next second");
  EXPECT_THAT(sink_->take(), ElementsAre("warn core: suppressed 6 lines like the next", "warn core: next second"));
}

TEST_F(LoggerTest, RateZeroIsNoLimit) {
  logger_.set_rate(0);
  for (int i = 0; i < 1000; ++i) log(LogLevel::warn, "core", "x");
  EXPECT_EQ(sink_->take().size(), 1000U);
}

TEST_F(LoggerTest, ThreadsShareASiteWithoutLosingCount) {
  constexpr int kThreads = 4;
  constexpr int kLines = 500;
  logger_.set_rate(10);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < kLines; ++i) log(LogLevel::warn, "core", "x");
    });
  }
  for (std::thread& thread : threads) thread.join();
  clock_.advance(1'000'000'000);
  log(LogLevel::warn, "core", "last");
  // Suppressed lines may be told early, by a writer that was admitted before them: add up what was told.
  std::uint64_t written = 0;
  std::uint64_t suppressed = 0;
  for (const std::string& line : sink_->take()) {
    const std::size_t at = line.find("suppressed ");
    at == std::string::npos ? ++written : suppressed += std::stoull(line.substr(at + 11));
  }
  EXPECT_EQ(written, 11U);
  EXPECT_EQ(written + suppressed, kThreads * kLines + 1U);
}

TEST(LogMacro, MakesTheMessageOnlyWhenItIsWritten) {
  const auto sink = std::make_shared<RecordingSink>();
  Logger::process().set_sink(sink);
  int made = 0;
  const auto message = [&made] { return "message " + std::to_string(++made); };
  GPUIO_LOG(debug, "core", message());
  EXPECT_EQ(made, 0);
  GPUIO_LOG(error, "core", message());
  EXPECT_EQ(made, 1);
  EXPECT_THAT(sink->take(), ElementsAre("error core: message 1"));
  Logger::process().set_sink(nullptr);
}

TEST(LogMacro, DefaultSinkIsStandardError) {
  testing::internal::CaptureStderr();
  GPUIO_LOG(warn, "core", "braces {} stay, 100% too");
  GPUIO_LOG(info, "core", "not this");
  const std::string written = testing::internal::GetCapturedStderr();
  EXPECT_THAT(written, HasSubstr(" gpuio warning core: braces {} stay, 100% too\n"));
  EXPECT_THAT(written, testing::Not(HasSubstr("not this")));
}

}  // namespace
}  // namespace gpuio::base
