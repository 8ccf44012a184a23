// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/request/latency_window.h"
#include "core/request/rate_limit.h"
#include "core/request/run_state.h"

namespace gpuio::core {

/// How much may be under way: bytes at storage devices bounded by their measured latency, bytes of resident data and
/// copies bounded by what keeps the pool and the links busy, and each class's bandwidth. Reactor only, but for the
/// rates.
class Admission {
 public:
  struct Options {
    LatencyWindow::Options window;
    std::uint64_t resident_bytes_max = 64U << 20U;
    std::uint64_t lent_bytes_max = 128U << 20U;  ///< Of runs out of the store's own pages, which are longer.
    std::uint64_t run_bytes_max = 8U << 20U;
    std::uint64_t bandwidth_bulk = 0;
    std::uint64_t bandwidth_background = 0;
    std::uint64_t bandwidth_cxl = 0;
  };

  explicit Admission(const Options& options)
      : options_(options),
        window_(options.window),
        bulk_(options.bandwidth_bulk),
        background_(options.bandwidth_background),
        cxl_(options.bandwidth_cxl) {}

  void set_bandwidth_bulk(std::uint64_t bytes_per_second) noexcept { bulk_.set_rate(bytes_per_second); }
  void set_bandwidth_background(std::uint64_t bytes_per_second) noexcept { background_.set_rate(bytes_per_second); }

  void set_bandwidth_cxl(std::uint64_t bytes_per_second) noexcept { cxl_.set_rate(bytes_per_second); }

  void high_priority_seen(std::uint64_t now) { window_.high_priority_seen(now); }

  /// True if another run of this class may start now; `cxl`: of one that reaches CXL memory.
  [[nodiscard]] bool open(Priority priority, bool cxl, std::uint64_t now) noexcept {
    if (priority == Priority::high) return true;
    if (resident_bytes_ >= options_.resident_bytes_max || lent_bytes_ >= options_.lent_bytes_max) return false;
    if (storage_bytes_ >= window_.limit_bytes(now)) return false;
    return ready_at(priority, cxl, now) <= now;
  }

  /// When bandwidth lets the class go on; `now` if it does not hold it back. Urgent bytes are never held back, but
  /// others pay for them.
  [[nodiscard]] std::uint64_t ready_at(Priority priority, bool cxl, std::uint64_t now) noexcept {
    if (priority == Priority::high) return now;
    const std::uint64_t ready = (priority == Priority::bulk ? bulk_ : background_).ready_at(now, 1);
    return cxl ? std::max(ready, cxl_.ready_at(now, 1)) : ready;
  }

  /// A run that reaches storage is small beside the window, so that the window can be kept.
  [[nodiscard]] std::uint64_t storage_run_bytes_max(std::uint64_t now) noexcept {
    const std::uint64_t least = std::min(kStorageRunBytesMin, options_.run_bytes_max);
    return std::clamp<std::uint64_t>(window_.limit_bytes(now) / 4, least, options_.run_bytes_max);
  }

  /// Bytes that pool workers move from memory to memory need no slab, and a run's end costs them the reactor's time:
  /// long runs, of which what has not begun can be given up. Not where others are to be let in between, or bandwidth
  /// shapes them.
  [[nodiscard]] std::uint64_t span_run_bytes_max(Priority priority, bool cxl) const noexcept {
    const bool shaped = (priority == Priority::bulk && bulk_.rate() != 0) || (cxl && cxl_.rate() != 0);
    return shaped || priority == Priority::background ? options_.run_bytes_max : kSpanRunBytesMax;
  }

  void started(const RunState& run, std::uint64_t now) noexcept {
    bytes_of(run) += run.bytes;
    if (run.priority == Priority::bulk) bulk_.take(now, run.bytes);
    if (run.priority == Priority::background) background_.take(now, run.bytes);
    if (run.cxl) cxl_.take(now, run.bytes);
  }

  void ended(const RunState& run, std::uint64_t now) noexcept {
    bytes_of(run) -= run.bytes;
    if (reaches_storage(run) && run.priority != Priority::high) window_.completed(now, run.bytes, now - run.started_ns);
  }

 private:
  static constexpr std::uint64_t kStorageRunBytesMin = 256U << 10U;
  /// Less than the 100 ms between two looks at the progress, of all but emulated memory.
  static constexpr std::uint64_t kSpanRunBytesMax = 256U << 20U;

  std::uint64_t& bytes_of(const RunState& run) noexcept {
    if (reaches_storage(run)) return storage_bytes_;
    return is_lent(run.chosen) ? lent_bytes_ : resident_bytes_;
  }

  static bool reaches_storage(const RunState& run) noexcept {
    return run.store != nullptr && run.way != spi::Way::cached;
  }

  Options options_;
  LatencyWindow window_;
  RateLimit bulk_;
  RateLimit background_;
  RateLimit cxl_;  ///< Of all classes together: the link is one.
  std::uint64_t storage_bytes_ = 0;
  std::uint64_t resident_bytes_ = 0;
  std::uint64_t lent_bytes_ = 0;
};

}  // namespace gpuio::core
