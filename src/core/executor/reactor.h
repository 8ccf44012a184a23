// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "core/spi/executor.h"
#include "gpuio/result.hpp"

namespace gpuio::core {

/// Polls the attached machines and sleeps until one of them needs it: what both executors have in common.
///
/// Driven by one thread at a time, the one between `try_enter` and `leave`. `attach`, `detach`, `wake` and the
/// questions about the driver: any thread, also from within a machine's poll.
class Reactor {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Reactor>> create(base::Clock& clock);
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  void attach(spi::Pollable& machine);
  void detach(spi::Pollable& machine);
  void wake() noexcept;

  /// Makes the calling thread the driver; false if there is one.
  bool try_enter() noexcept;
  void leave() noexcept;
  [[nodiscard]] bool is_driver() const noexcept;
  [[nodiscard]] bool has_driver() const noexcept { return driver_ != nullptr; }

  struct Round {
    std::uint64_t next_ns = spi::kNever;  ///< When to poll next if nothing happens.
    bool worked = false;                  ///< Somebody had asked for it, or a machine wants to be polled again at once.
  };
  /// Polls every machine once. Driver only, as all below.
  Round round();

  /// Returns at `until_ns`, when a descriptor is readable, or on `wake`, also one since the last round began.
  void sleep(std::uint64_t until_ns) noexcept;

  /// Whether a descriptor is readable now.
  bool look() noexcept { return collect(0); }

  /// Before nobody drives for a while: from now on `descriptor` is readable when there is something to do.
  void rest(std::uint64_t next_ns) noexcept;

  /// For others' loops. Any thread.
  [[nodiscard]] int descriptor() const noexcept { return epoll_.get(); }
  [[nodiscard]] base::Clock& clock() noexcept { return clock_; }

 private:
  struct Entry {
    spi::Pollable* machine = nullptr;  ///< Null: detached, to be swept.
    int fd = -1;                       ///< What epoll watches for it.
  };
  enum class State : std::uint32_t { awake, asked, asleep };

  explicit Reactor(base::Clock& clock) noexcept : clock_(clock) {}

  void watch(Entry& entry, int fd) noexcept;
  bool collect(std::uint64_t until_ns) noexcept;
  void ring() noexcept;

  base::Clock& clock_;
  base::UniqueFd epoll_;
  base::UniqueFd bell_;   ///< eventfd: wakes the sleeper.
  base::UniqueFd alarm_;  ///< timerfd: wakes those who wait on `descriptor` while nobody drives.
  std::uint64_t alarm_ns_ = spi::kNever;
  std::atomic<State> state_{State::awake};
  std::atomic<const void*> driver_{nullptr};

  std::mutex mutex_;  ///< Guards what follows; not held while a machine is polled.
  std::condition_variable polled_;
  std::vector<Entry> entries_;
  spi::Pollable* current_ = nullptr;  ///< Being polled.
  unsigned detaching_ = 0;            ///< Threads that wait for that to end.
};

}  // namespace gpuio::core
