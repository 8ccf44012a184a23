// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>

namespace gpuio::base {

/// Time as a seam: production reads the machine's clock, the simulator and tests turn their own.
/// Thread safety: all members of all clocks, any thread.
class Clock {
 public:
  virtual ~Clock() = default;

  /// Nanoseconds since some start; never goes back. The start differs between clocks: compare times of one clock only.
  [[nodiscard]] virtual std::uint64_t now_ns() const = 0;

  /// CPU time of the whole process so far; 0 where time is not the machine's.
  [[nodiscard]] virtual std::uint64_t cpu_ns() const { return 0; }
};

/// CLOCK_MONOTONIC and CLOCK_PROCESS_CPUTIME_ID.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] std::uint64_t now_ns() const override { return read(CLOCK_MONOTONIC); }
  [[nodiscard]] std::uint64_t cpu_ns() const override { return read(CLOCK_PROCESS_CPUTIME_ID); }

 private:
  static std::uint64_t read(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
  }
};

/// Stands still until told to move.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(std::uint64_t start_ns = 0) noexcept : now_ns_(start_ns) {}

  [[nodiscard]] std::uint64_t now_ns() const override { return now_ns_.load(std::memory_order_acquire); }

  void advance(std::uint64_t delta_ns) noexcept { now_ns_.fetch_add(delta_ns, std::memory_order_acq_rel); }

  /// Moves on to `time_ns`; an earlier time changes nothing.
  void advance_to(std::uint64_t time_ns) noexcept {
    std::uint64_t now = now_ns_.load(std::memory_order_acquire);
    while (now < time_ns && !now_ns_.compare_exchange_weak(now, time_ns, std::memory_order_acq_rel)) {
    }
  }

 private:
  std::atomic<std::uint64_t> now_ns_;
};

}  // namespace gpuio::base
