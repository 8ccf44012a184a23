// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cassert>
#include <cstdint>

namespace gpuio::core {

/// A number of bytes that may be pinned at once, and how many are. One per context for slabs and transient windows
/// (memory.pinned_budget_bytes), a second inside LoanBook for windows left registered.
///
/// Whoever takes gives back the same number; nothing here waits or grows. Thread safety: all members, any thread.
class PinnedBudget {
 public:
  explicit PinnedBudget(std::uint64_t limit_bytes) noexcept : limit_(limit_bytes) {}

  /// Takes all of `bytes`, or nothing and answers false.
  [[nodiscard]] bool try_take(std::uint64_t bytes) noexcept {
    std::uint64_t now = now_.load(std::memory_order_relaxed);
    do {
      if (bytes > limit_ - now) return false;
    } while (!now_.compare_exchange_weak(now, now + bytes, std::memory_order_relaxed));
    raise_max(now + bytes);
    return true;
  }

  void give(std::uint64_t bytes) noexcept {
    [[maybe_unused]] const std::uint64_t before = now_.fetch_sub(bytes, std::memory_order_relaxed);
    assert(before >= bytes && "gave back more than was taken");
  }

  [[nodiscard]] std::uint64_t limit() const noexcept { return limit_; }
  [[nodiscard]] std::uint64_t now() const noexcept { return now_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t room() const noexcept { return limit_ - now(); }
  /// The highest `now` ever was.
  [[nodiscard]] std::uint64_t max() const noexcept { return max_.load(std::memory_order_relaxed); }

 private:
  void raise_max(std::uint64_t seen) noexcept {
    std::uint64_t max = max_.load(std::memory_order_relaxed);
    while (max < seen && !max_.compare_exchange_weak(max, seen, std::memory_order_relaxed)) {
    }
  }

  const std::uint64_t limit_;
  std::atomic<std::uint64_t> now_{0};
  std::atomic<std::uint64_t> max_{0};
};

}  // namespace gpuio::core
