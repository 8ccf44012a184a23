// SPDX-License-Identifier: Apache-2.0
#include "cli/progress_bar.h"

#include <gtest/gtest.h>

namespace gpuio::cli {
namespace {

BarView half_done() {
  return {.label = "load",
          .done_bytes = 4ULL << 30,
          .total_bytes = 8ULL << 30,
          .bytes_per_second = static_cast<double>(1ULL << 30),
          .elapsed_seconds = 4,
          .finished = false,
          .unicode = false,
          .width = 100};
}

TEST(RateMeter, KnowsNothingFromOneSample) {
  RateMeter meter;
  meter.add(0, 0);
  EXPECT_EQ(meter.bytes_per_second(), 0);
}

TEST(RateMeter, FollowsTheLastSecondOnly) {
  RateMeter meter;
  std::uint64_t done = 0;
  for (int tick = 0; tick <= 100; ++tick) meter.add(tick * 0.1, done += 10);
  EXPECT_NEAR(meter.bytes_per_second(), 100, 1);
  for (int tick = 101; tick <= 115; ++tick) meter.add(tick * 0.1, done += 100);
  EXPECT_NEAR(meter.bytes_per_second(), 1000, 10);
}

TEST(RateMeter, FallsToZeroWhenNothingMoves) {
  RateMeter meter;
  meter.add(0, 0);
  meter.add(1, 1000);
  meter.add(2, 1000);
  meter.add(3.5, 1000);
  EXPECT_EQ(meter.bytes_per_second(), 0);
}

TEST(ProgressBar, ShowsShareRateTimeLeftAndSize) {
  EXPECT_EQ(render_bar(half_done()),
            "load [####################....................]   50 %  1.07 GB/s  0:04 left  4.00 GiB of 8.00 GiB");
}

TEST(ProgressBar, OfWorkThatIsNotBytesSaysNeitherSizeNorRate) {
  BarView view = half_done();
  view.unit = BarUnit::shares;
  EXPECT_EQ(render_bar(view), "load [####################....................]   50 %  0:04 left");
}

TEST(ProgressBar, FitsAnyWidth) {
  BarView view = half_done();
  for (view.width = 1; view.width < 200; ++view.width) {
    EXPECT_LE(display_width(render_bar(view)), std::max(view.width, 2U) - 1) << view.width;
  }
}

TEST(ProgressBar, GivesUpTheSizeFirstAndTheShareLast) {
  BarView view = half_done();
  view.width = 60;
  EXPECT_EQ(render_bar(view).find("GiB of"), std::string::npos);
  EXPECT_NE(render_bar(view).find("0:04 left"), std::string::npos);
  view.width = 8;
  EXPECT_EQ(render_bar(view), " 50 %");
}

TEST(ProgressBar, SaysHundredPercentOnlyWhenAllIsDone) {
  BarView view = half_done();
  view.done_bytes = view.total_bytes - 1;
  EXPECT_NE(render_bar(view).find(" 99 %"), std::string::npos);
  view.done_bytes = view.total_bytes;
  EXPECT_NE(render_bar(view).find("100 %"), std::string::npos);
}

TEST(ProgressBar, FinishedShowsTheTimeItTook) {
  BarView view = half_done();
  view.finished = true;
  view.done_bytes = view.total_bytes;
  EXPECT_NE(render_bar(view).find("4.00 s"), std::string::npos);
  EXPECT_EQ(render_bar(view).find("left"), std::string::npos);
}

TEST(ProgressBar, StandsStillWithoutARate) {
  BarView view = half_done();
  view.bytes_per_second = 0;
  EXPECT_NE(render_bar(view).find("-:-- left"), std::string::npos);
}

TEST(ProgressBar, NothingToDoIsNoDivisionByZero) {
  BarView view = half_done();
  view.done_bytes = view.total_bytes = 0;
  EXPECT_NE(render_bar(view).find("  0 %"), std::string::npos);
}

TEST(ProgressBar, DrawsUnicodeCellsOfOneColumn) {
  BarView view = half_done();
  view.unicode = true;
  EXPECT_NE(render_bar(view).find("\u2501\u2501\u2500\u2500"), std::string::npos);
  EXPECT_LT(display_width(render_bar(view)), view.width);
}

}  // namespace
}  // namespace gpuio::cli
