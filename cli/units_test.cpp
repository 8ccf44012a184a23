// SPDX-License-Identifier: Apache-2.0
#include "cli/units.h"

#include <limits>

#include <gtest/gtest.h>

namespace gpuio::cli {
namespace {

TEST(Units, SizesHaveThreeDigitsAndBinaryUnits) {
  EXPECT_EQ(format_size(0), "0 B");
  EXPECT_EQ(format_size(999), "999 B");
  EXPECT_EQ(format_size(1024), "1.00 KiB");
  EXPECT_EQ(format_size(1536ULL << 20), "1.50 GiB");
  EXPECT_EQ(format_size(10ULL << 30), "10.0 GiB");
  EXPECT_EQ(format_size(128ULL << 30), "128 GiB");
  EXPECT_EQ(format_size(std::numeric_limits<std::uint64_t>::max()), "16.0 EiB");
}

TEST(Units, SizeNeverShowsAThousandOfAUnit) { EXPECT_EQ(format_size(1023ULL << 20), "1.00 GiB"); }

TEST(Units, RatesHaveDecimalUnits) {
  EXPECT_EQ(format_rate(0), "0 B/s");
  EXPECT_EQ(format_rate(52.94e9), "52.9 GB/s");
  EXPECT_EQ(format_rate(1e9), "1.00 GB/s");
  EXPECT_EQ(format_rate(-1), "- B/s");
  EXPECT_EQ(format_rate(std::numeric_limits<double>::infinity()), "- B/s");
}

TEST(Units, SecondsChooseTheUnitThatReads) {
  EXPECT_EQ(format_seconds(0), "0 us");
  EXPECT_EQ(format_seconds(161e-6), "161 us");
  EXPECT_EQ(format_seconds(1.5e-3), "1.50 ms");
  EXPECT_EQ(format_seconds(0.161), "161 ms");
  EXPECT_EQ(format_seconds(1.06), "1.06 s");
  EXPECT_EQ(format_seconds(59.94), "59.9 s");
  EXPECT_EQ(format_seconds(123), "2 min 3 s");
  EXPECT_EQ(format_seconds(2 * 3600 + 5 * 60), "2 h 5 min");
}

TEST(Units, TimeLeftIsRoundedUpAndUnknownBeyondReason) {
  EXPECT_EQ(format_clock(0), "0:00");
  EXPECT_EQ(format_clock(0.2), "0:01");
  EXPECT_EQ(format_clock(723), "12:03");
  EXPECT_EQ(format_clock(3753), "1:02:33");
  EXPECT_EQ(format_clock(-1), "-:--");
  EXPECT_EQ(format_clock(1e9), "-:--");
}

TEST(Units, FrequenciesAreDecimalAndZeroIsUnknown) {
  EXPECT_EQ(format_frequency(981), "981 /s");
  EXPECT_EQ(format_frequency(33.1e6), "33.1 M/s");
  EXPECT_EQ(format_frequency(0), "-");
}

TEST(Units, PercentHasADecimalOnlyBelowTen) {
  EXPECT_EQ(format_percent(0.964), "96 %");
  EXPECT_EQ(format_percent(0.024), "2.4 %");
  EXPECT_EQ(format_percent(0), "0 %");
}

TEST(Units, CountsHavePlurals) {
  EXPECT_EQ(format_count(1, "file"), "1 file");
  EXPECT_EQ(format_count(3, "file"), "3 files");
}

}  // namespace
}  // namespace gpuio::cli
