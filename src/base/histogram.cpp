// SPDX-License-Identifier: Apache-2.0
#include "base/histogram.h"

#include <cmath>

namespace gpuio::base {

void HistogramReading::add(const Histogram& histogram) noexcept {
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const std::uint64_t count = histogram.counts_[i].load(std::memory_order_relaxed);
    counts_[i] += count;
    count_ += count;
  }
  sum_ += histogram.sum_.load(std::memory_order_relaxed);
  max_ = std::max(max_, histogram.max_.load(std::memory_order_relaxed));
}

void HistogramReading::add(const HistogramReading& other) noexcept {
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

std::uint64_t HistogramReading::quantile(double q) const noexcept {
  const double rank_exact = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_));
  // Doubles of counts above 2^53 round: the last of them is max all the same.
  if (rank_exact >= static_cast<double>(count_)) return max_;
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(rank_exact));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= rank) return std::min(HistogramBins::middle_of(i), max_);
  }
  return max_;
}

}  // namespace gpuio::base
