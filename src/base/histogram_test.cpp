// SPDX-License-Identifier: Apache-2.0
#include "base/histogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "base/random.h"

namespace gpuio::base {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

HistogramReading reading_of(const Histogram& histogram) {
  HistogramReading reading;
  reading.add(histogram);
  return reading;
}

TEST(HistogramBins, CoverAllNumbersInOrderWithoutGaps) {
  std::size_t last = 0;
  for (std::uint64_t value = 0; value < 1 << 16; ++value) {
    const std::size_t index = HistogramBins::index_of(value);
    ASSERT_TRUE(index == last || index == last + 1) << value;
    last = index;
  }
  EXPECT_EQ(HistogramBins::index_of(kMax), HistogramBins::kCount - 1);
}

TEST(HistogramBins, MiddleIsWithinOneSixtyFourthOfEveryNumberOfItsBin) {
  Random random(5);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t value = random.next() >> random.uniform(64);
    const std::uint64_t middle = HistogramBins::middle_of(HistogramBins::index_of(value));
    const std::uint64_t error = middle > value ? middle - value : value - middle;
    ASSERT_LE(error, value / 64) << value;
  }
}

TEST(Histogram, EmptyReadsAsZero) {
  const HistogramReading reading = reading_of(*std::make_unique<Histogram>());
  EXPECT_EQ(reading.count(), 0U);
  EXPECT_EQ(reading.max(), 0U);
  EXPECT_EQ(reading.quantile(0.5), 0U);
}

TEST(Histogram, QuantilesAgreeWithAnExactSort) {
  Random random(11);
  const auto histogram = std::make_unique<Histogram>();
  std::vector<std::uint64_t> values;
  std::uint64_t sum = 0;
  for (int i = 0; i < 200'000; ++i) {
    // Latencies spread over decades, as real ones do.
    values.push_back(static_cast<std::uint64_t>(std::exp(random.unit() * 18.0)));
    sum += values.back();
    histogram->record(values.back());
  }
  std::sort(values.begin(), values.end());
  const HistogramReading reading = reading_of(*histogram);
  EXPECT_EQ(reading.count(), values.size());
  EXPECT_EQ(reading.sum(), sum);
  EXPECT_EQ(reading.max(), values.back());
  EXPECT_EQ(reading.quantile(1), values.back());
  for (const double q : {0.0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.99999}) {
    const auto rank = static_cast<std::size_t>(std::max(1.0, std::ceil(q * static_cast<double>(values.size()))));
    const auto exact = static_cast<double>(values[rank - 1]);
    EXPECT_NEAR(static_cast<double>(reading.quantile(q)), exact, exact / 64) << q;
  }
}

TEST(Histogram, QuantileNeverExceedsTheLargestRecorded) {
  const auto histogram = std::make_unique<Histogram>();
  for (int i = 0; i < 10; ++i) histogram->record(1'000'000);
  EXPECT_LE(reading_of(*histogram).quantile(0.5), 1'000'000U);
}

TEST(Histogram, ThreadsRecordIntoTheirOwnWhileAReaderAddsThemUp) {
  constexpr std::uint64_t kRecords = 100'000;
  std::vector<Histogram> histograms(2);
  std::vector<std::thread> threads;
  for (Histogram& histogram : histograms) {
    threads.emplace_back([&histogram] {
      for (std::uint64_t i = 0; i < kRecords; ++i) histogram.record(i);
    });
  }
  std::uint64_t last = 0;
  for (int i = 0; i < 50; ++i) {
    HistogramReading reading;
    for (const Histogram& histogram : histograms) reading.add(histogram);
    EXPECT_GE(reading.count(), last);
    last = reading.count();
  }
  for (std::thread& thread : threads) thread.join();
  HistogramReading total = reading_of(histograms[0]);
  total.add(reading_of(histograms[1]));
  EXPECT_EQ(total.count(), 2 * kRecords);
  EXPECT_EQ(total.max(), kRecords - 1);
  EXPECT_EQ(total.sum(), kRecords * (kRecords - 1));
}

}  // namespace
}  // namespace gpuio::base
