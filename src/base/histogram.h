// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace gpuio::base {

/// The bins of a log-linear histogram over all 64-bit numbers: below 64 one bin a number, then 32 bins for each power
/// of two, so that no bin is wider than 1/32 of its numbers and its middle is within 1/64 (1.6 %) of each of them.
struct HistogramBins {
  static constexpr int kBinsPerOctaveLog2 = 5;
  static constexpr std::size_t kBinsPerOctave = std::size_t{1} << kBinsPerOctaveLog2;
  static constexpr std::size_t kCount = (64 - kBinsPerOctaveLog2 + 1) * kBinsPerOctave;

  static constexpr std::size_t index_of(std::uint64_t value) noexcept {
    const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - (kBinsPerOctaveLog2 + 1));
    return static_cast<std::size_t>(shift) * kBinsPerOctave + static_cast<std::size_t>(value >> shift);
  }

  static constexpr std::uint64_t middle_of(std::size_t index) noexcept {
    if (index < 2 * kBinsPerOctave) return index;
    const std::size_t shift = index / kBinsPerOctave - 1;
    const std::uint64_t first = std::uint64_t{kBinsPerOctave + index % kBinsPerOctave} << shift;
    return first + (std::uint64_t{1} << shift) / 2;
  }
};

/// Counts durations, one writer at a time and any number of readers, without locks: each thread records into its own,
/// and a HistogramReading adds them up. 15 KiB each; `record` is three relaxed stores.
class Histogram {
 public:
  /// One thread at a time.
  void record(std::uint64_t value) noexcept {
    add_relaxed(counts_[HistogramBins::index_of(value)], 1);
    add_relaxed(sum_, value);
    if (value > max_.load(std::memory_order_relaxed)) max_.store(value, std::memory_order_relaxed);
  }

 private:
  friend class HistogramReading;
  using Counter = std::atomic<std::uint64_t>;

  // The only writer needs no locked instruction.
  static void add_relaxed(Counter& counter, std::uint64_t amount) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }

  std::array<Counter, HistogramBins::kCount> counts_{};
  Counter sum_{0};
  Counter max_{0};
};

/// What histograms held when they were read. Thread safety: as an int.
class HistogramReading {
 public:
  void add(const Histogram& histogram) noexcept;
  void add(const HistogramReading& other) noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t sum() const noexcept { return sum_; }
  /// Exact; 0 if nothing was recorded.
  [[nodiscard]] std::uint64_t max() const noexcept { return max_; }

  /// The number that a fraction `q` in [0, 1] of all recorded ones do not exceed, within 1/64 (1.6 %) of the exact one;
  /// 0 if nothing was recorded. `quantile(1)` is `max()`.
  [[nodiscard]] std::uint64_t quantile(double q) const noexcept;

 private:
  std::array<std::uint64_t, HistogramBins::kCount> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace gpuio::base
