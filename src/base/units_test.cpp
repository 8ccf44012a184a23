// SPDX-License-Identifier: Apache-2.0
#include "base/units.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/random.h"

namespace gpuio::base {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

TEST(ParseSize, KnowsBothFamiliesOfUnits) {
  EXPECT_EQ(parse_size("0").value(), 0U);
  EXPECT_EQ(parse_size("4096").value(), 4096U);
  EXPECT_EQ(parse_size("64KiB").value(), 64U << 10);
  EXPECT_EQ(parse_size("1GiB").value(), 1U << 30);
  EXPECT_EQ(parse_size("1.5MB").value(), 1'500'000U);
  EXPECT_EQ(parse_size(" 2 mib ").value(), 2U << 20);
  EXPECT_EQ(parse_size("7B").value(), 7U);
  EXPECT_EQ(parse_size("0.3KiB").value(), 307U) << "parts of a byte are cut";
}

TEST(ParseSize, FractionsAreExactNotFloatingPoint) {
  EXPECT_EQ(parse_size("15.999999999999999999EiB").value(), kMax - 1);
  EXPECT_EQ(parse_size("0.0009765625KiB").value(), 1U);
}

TEST(ParseSize, TheLargestFitsAndTheNextDoesNot) {
  EXPECT_EQ(parse_size("18446744073709551615").value(), kMax);
  EXPECT_EQ(parse_size("18446744073709551616").error().code(), Code::out_of_range);
  EXPECT_EQ(parse_size("16EiB").error().code(), Code::out_of_range);
  EXPECT_EQ(parse_size("99999999999999999999999999KiB").error().code(), Code::out_of_range);
}

TEST(ParseSize, ErrorsQuoteTheTextAndSayWhatWouldBeRight) {
  for (const char* text : {"", " ", "KiB", "64K", "64 KB s", "1.", ".5KiB", "1..5MB", "-1", "0x10", "1e9", "64\n"}) {
    const Result<std::uint64_t> result = parse_size(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code(), Code::invalid_argument) << text;
    EXPECT_NE(result.error().message().find("'" + std::string(text) + "'"), std::string_view::npos) << text;
  }
  EXPECT_EQ(parse_size("64K").error().message(),
            "'64K' is not a size: 'K' is none of the units EiB, PiB, TiB, GiB, MiB, KiB, PB, TB, GB, MB, KB, B");
  EXPECT_EQ(parse_size("-1").error().message(), "'-1' is not a size: it is negative");
}

TEST(ParseDuration, KnowsUnitsFromNanosecondsToHours) {
  EXPECT_EQ(parse_duration("0").value(), 0U);
  EXPECT_EQ(parse_duration("17").value(), 17U);
  EXPECT_EQ(parse_duration("5ns").value(), 5U);
  EXPECT_EQ(parse_duration("250us").value(), 250'000U);
  EXPECT_EQ(parse_duration("5ms").value(), 5'000'000U);
  EXPECT_EQ(parse_duration("1.5s").value(), 1'500'000'000U);
  EXPECT_EQ(parse_duration("2min").value(), 120'000'000'000U);
  EXPECT_EQ(parse_duration("1h").value(), 3'600'000'000'000U);
}

TEST(ParseDuration, MoreThanChronoHoldsIsOutOfRange) {
  EXPECT_EQ(parse_duration("9223372036854775807ns").value(), kMax >> 1);
  EXPECT_EQ(parse_duration("9223372036854775808ns").error().code(), Code::out_of_range);
  EXPECT_EQ(parse_duration("3m").error().code(), Code::invalid_argument) << "m could be metres, minutes or milli";
}

TEST(Format, ParsesBackToTheSameNumber) {
  Random random(7);
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t value = random.next() >> random.uniform(64) << random.uniform(20);
    ASSERT_EQ(parse_size(format_size(value)).value(), value);
    ASSERT_EQ(parse_duration(format_duration(value >> 1)).value(), value >> 1);
  }
  EXPECT_EQ(format_size(65536), "64KiB");
  EXPECT_EQ(format_size(1'500'000), "1500000");
  EXPECT_EQ(format_duration(2'000'000), "2ms");
  EXPECT_EQ(format_duration(90'000'000'000), "90s");
  EXPECT_EQ(format_duration(1), "1ns");
  EXPECT_EQ(format_duration(0), "0");
}

}  // namespace
}  // namespace gpuio::base
