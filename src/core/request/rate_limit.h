// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>

namespace gpuio::core {

/// A token bucket: so many bytes per second on average, and at most kBurstNs worth of them at once.
///
/// Thread safety: `set_rate` and `rate`, any thread; the rest, one thread. A new rate holds from the next call on.
class RateLimit {
 public:
  static constexpr std::uint64_t kBurstNs = 10'000'000;

  /// 0 means unlimited.
  explicit RateLimit(std::uint64_t bytes_per_second = 0) noexcept : rate_(bytes_per_second) {}

  void set_rate(std::uint64_t bytes_per_second) noexcept { rate_.store(bytes_per_second, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t rate() const noexcept { return rate_.load(std::memory_order_relaxed); }

  /// When `bytes` may go: `now_ns` if they may now. More than a burst may go once the bucket is full.
  [[nodiscard]] std::uint64_t ready_at(std::uint64_t now_ns, std::uint64_t bytes) noexcept {
    settle(now_ns);
    if (used_rate_ <= 0) return now_ns;
    const double burst = std::max(used_rate_ * static_cast<double>(kBurstNs) * 1e-9, 1.0);
    const double excess = debt_bytes_ + std::min(static_cast<double>(bytes), burst) - burst;
    if (excess <= 0) return now_ns;
    const double wait_ns = std::min(std::ceil(excess / used_rate_ * 1e9), kWaitNsMax);
    return now_ns + static_cast<std::uint64_t>(wait_ns);
  }

  /// Takes them whether ready or not; what comes later waits accordingly.
  void take(std::uint64_t now_ns, std::uint64_t bytes) noexcept {
    settle(now_ns);
    if (used_rate_ > 0) debt_bytes_ += static_cast<double>(bytes);
  }

 private:
  /// Far enough to be never, near enough to be added to any clock.
  static constexpr double kWaitNsMax = 1e18;

  /// Pays what the old rate has earned by now, then goes over to the rate that is set.
  void settle(std::uint64_t now_ns) noexcept {
    const double elapsed_ns = now_ns > settled_ns_ ? static_cast<double>(now_ns - settled_ns_) : 0.0;
    settled_ns_ = std::max(settled_ns_, now_ns);
    debt_bytes_ = std::max(0.0, debt_bytes_ - elapsed_ns * 1e-9 * used_rate_);
    used_rate_ = static_cast<double>(rate());
    if (used_rate_ <= 0) debt_bytes_ = 0;
  }

  std::atomic<std::uint64_t> rate_;
  double used_rate_ = 0;
  double debt_bytes_ = 0;  ///< Taken and not yet earned; the bucket is full at 0.
  std::uint64_t settled_ns_ = 0;
};

}  // namespace gpuio::core
