// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <ctime>
#include <limits>

/// Sleeping on a word until somebody changes it: std::atomic::wait has no deadline.
namespace gpuio::core {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

/// Sleeps while `word` is `value`, until `deadline_ns` of CLOCK_MONOTONIC. May return early; false if it is past the
/// deadline.
inline bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value,
                       std::uint64_t deadline_ns) noexcept {
  timespec deadline{};
  deadline.tv_sec = static_cast<time_t>(deadline_ns / 1'000'000'000);
  deadline.tv_nsec = static_cast<long>(deadline_ns % 1'000'000'000);
  const timespec* until = deadline_ns == std::numeric_limits<std::uint64_t>::max() ? nullptr : &deadline;
  // The plain FUTEX_WAIT takes a span of time, this one a point of it.
  const long result =
      ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, value, until, nullptr, FUTEX_BITSET_MATCH_ANY);
  return result == 0 || errno != ETIMEDOUT;
}

inline void futex_wake(const std::atomic<std::uint32_t>& word, int threads = INT_MAX) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, threads, nullptr, nullptr, 0);
}

/// Tells the core that this is a loop that waits.
inline void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace gpuio::core
