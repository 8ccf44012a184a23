// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace gpuio::core {

/// Decides how many bytes of bulk traffic may be in flight on one disk or link.
///
/// Alone, bulk gets the full depth. While high-priority traffic has been seen lately, its share is what the disk completes
/// within `target_ns`: a small read then waits that long behind it, and no longer. Not thread-safe.
class LatencyWindow {
 public:
  struct Options {
    std::uint64_t bytes_max = 64ULL << 20U;      ///< The full depth.
    std::uint64_t bytes_min = 1ULL << 20U;       ///< Never less: keeps a disk busy between two of our polls.
    std::uint64_t target_ns = 2'500'000;         ///< From start to completion of a bulk run beside high-priority traffic.
    std::uint64_t recent_ns = 1'000'000'000;     ///< How long high-priority traffic is remembered.
  };

  LatencyWindow() noexcept : LatencyWindow(Options()) {}
  explicit LatencyWindow(const Options& options) noexcept;

  /// A bulk run of `bytes` has completed, `latency_ns` after it was given to the engine.
  void completed(std::uint64_t now_ns, std::uint64_t bytes, std::uint64_t latency_ns) noexcept;

  /// A high-priority request was queued or has completed.
  void high_priority_seen(std::uint64_t now_ns) noexcept;

  /// Start bulk only while what is in flight and the run to start are within this.
  [[nodiscard]] std::uint64_t limit_bytes(std::uint64_t now_ns) const noexcept;

  /// True while high-priority traffic holds bulk back.
  [[nodiscard]] bool is_shared(std::uint64_t now_ns) const noexcept;

 private:
  void close_epoch(std::uint64_t now_ns) noexcept;

  Options options_;
  double shared_limit_bytes_ = 0;          ///< 0: nothing known yet.
  double bytes_per_ns_ = 0;                ///< Of the last epoch.
  std::uint64_t quickest_ns_ = 0;          ///< Least latency lately: below this no window can bring it.
  std::uint64_t quickest_at_ns_ = 0;
  std::uint64_t high_seen_ns_ = 0;
  bool high_ever_seen_ = false;

  std::uint64_t epoch_start_ns_ = 0;
  std::uint64_t epoch_bytes_ = 0;
  std::uint64_t epoch_latency_bytes_ = 0;  ///< Bytes that `epoch_latency_ns_` is weighted with.
  double epoch_latency_ns_ = 0;
};

}  // namespace gpuio::core
