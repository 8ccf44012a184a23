// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace gpuio::core {

/// Decides how many bytes of bulk traffic may be in flight on one disk or link.
///
/// Alone, bulk gets the full depth. While high-priority traffic has been seen lately, it gets what the disk was
/// measured to complete within `target_ns`: a small read then waits that long behind it, and no longer. Where even a
/// lightly loaded disk takes longer than that, the target gives way, or bulk would starve without helping anybody. Not
/// thread-safe.
class LatencyWindow {
 public:
  struct Options {
    std::uint64_t bytes_max = 64ULL << 20U;   ///< The full depth.
    std::uint64_t bytes_min = 1ULL << 20U;    ///< Never less: keeps a disk busy between two of our polls.
    std::uint64_t target_ns = 2'500'000;      ///< From start to completion of a bulk run beside high-priority traffic.
    std::uint64_t recent_ns = 1'000'000'000;  ///< How long high-priority traffic is remembered.
  };

  LatencyWindow() noexcept : LatencyWindow(Options()) {}
  explicit LatencyWindow(const Options& options) noexcept : options_(options) {}

  /// A bulk run of `bytes` has completed, `latency_ns` after it was given to the engine.
  void completed(std::uint64_t now_ns, std::uint64_t bytes, std::uint64_t latency_ns) noexcept;

  /// A high-priority request was queued or has completed.
  void high_priority_seen(std::uint64_t now_ns) noexcept;

  /// Start bulk only while less than this is in flight.
  [[nodiscard]] std::uint64_t limit_bytes(std::uint64_t now_ns) const noexcept;

 private:
  [[nodiscard]] bool is_shared(std::uint64_t now_ns) const noexcept {
    return high_seen_ && now_ns < high_seen_ns_ + options_.recent_ns;
  }
  void start_probe(std::uint64_t now_ns) noexcept;
  void watch_probe(std::uint64_t now_ns, std::uint64_t latency_ns) noexcept;
  void close_epoch(std::uint64_t now_ns) noexcept;

  Options options_;
  bool high_seen_ = false;
  std::uint64_t high_seen_ns_ = 0;

  double bytes_per_ns_ = 0;  ///< What the disk completes; 0: not known yet.
  std::uint64_t epoch_start_ns_ = 0;
  std::uint64_t epoch_bytes_ = 0;
  std::uint64_t last_completed_ns_ = 0;

  std::uint64_t quickest_ns_ = 0;  ///< Latency of a lightly loaded disk: no window brings it lower.
  bool probing_ = false;           ///< The window is at its least, to find that out.
  std::uint64_t probe_start_ns_ = 0;
  std::uint64_t probe_quickest_ns_ = 0;
  unsigned probe_runs_ = 0;  ///< That started in the probe and have completed.
};

}  // namespace gpuio::core
