// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>

#include "base/random.h"

namespace gpuio::sim {

/// What can go wrong in a simulated machine. README.md says what each does.
enum class Fault : std::uint8_t {
  short_transfer,     ///< Fewer bytes than asked for, at any count.
  interrupted,        ///< EINTR
  again,              ///< EAGAIN
  io_error,           ///< EIO, once.
  bad_sector,         ///< EIO from then on, until the sector is written.
  no_space,           ///< ENOSPC
  slow,               ///< A hundred times the latency.
  stuck,              ///< No answer for longer than anybody waits.
  queue_full,         ///< The queue takes fewer operations than given.
  cancel_ignored,     ///< The operation ends when it wants.
  flush_failed,       ///< EIO, and some of what was to be flushed never reaches the disk.
  lost_sector,        ///< Unflushed and gone after a crash.
  torn_sector,        ///< Unflushed and half old after a crash.
  evicted,            ///< Pages leave memory between question and read.
  not_told,           ///< Whether bytes are resident, or which version a file is.
  open_failed,        ///< EMFILE
  map_failed,         ///< ENOMEM
  allocation_failed,  ///< Device memory.
  registration_failed,
  device_slow,      ///< Work on a stream starts late.
  device_stuck,     ///< ... much too late.
  device_rejected,  ///< A call fails and queues nothing.
  device_failed,    ///< Queued work does not happen; its event says so.
  device_lost,      ///< From then on everything fails.
  count
};
inline constexpr std::size_t kFaults = static_cast<std::size_t>(Fault::count);
std::string_view to_string(Fault fault) noexcept;

/// How likely each fault is where it may happen.
class FaultPlan {
 public:
  FaultPlan() = default;  ///< Nothing goes wrong.

  /// Each fault off with one half; the others with a probability of up to `severity` times what such a fault has in a
  /// bad machine (1: a few per cent of all operations).
  static FaultPlan draw(base::Random& random, double severity);
  /// The same probability for all, but seldom what takes seconds, and never what ends everything.
  static FaultPlan uniform(double probability);

  double& operator[](Fault fault) noexcept { return probability_[static_cast<std::size_t>(fault)]; }
  double operator[](Fault fault) const noexcept { return probability_[static_cast<std::size_t>(fault)]; }

 private:
  std::array<double, kFaults> probability_{};
};

/// Decides whatever chance decides in one simulated machine. The same seed and the same questions give the same
/// answers; `trace` tells whether two runs asked the same. Thread safety: all members.
class Fate {
 public:
  explicit Fate(std::uint64_t seed, const FaultPlan& plan = {}) : seed_(seed), plan_(plan), random_(seed) {}

  [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
  void set_plan(const FaultPlan& plan);

  /// Whether `fault` happens now; counts it if so.
  [[nodiscard]] bool strikes(Fault fault);
  [[nodiscard]] std::uint64_t uniform(std::uint64_t bound);  ///< In [0, bound); `bound` is not 0.
  [[nodiscard]] std::uint64_t between(std::uint64_t least, std::uint64_t most) {
    return least + uniform(most - least + 1);
  }
  [[nodiscard]] bool chance(double probability);

  void note(std::uint64_t event);  ///< Into the trace.
  [[nodiscard]] std::uint64_t trace() const;

  [[nodiscard]] std::uint64_t struck(Fault fault) const;
  [[nodiscard]] std::uint64_t struck() const;

 private:
  void mix(std::uint64_t value) noexcept;

  const std::uint64_t seed_;
  mutable std::mutex mutex_;  ///< Guards what follows.
  FaultPlan plan_;
  base::Random random_;
  std::uint64_t trace_ = 0;
  std::array<std::uint64_t, kFaults> struck_{};
};

}  // namespace gpuio::sim
