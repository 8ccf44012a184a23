// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>

#include "base/clock.h"
#include "base/try.h"
#include "gpuio/result.hpp"

namespace gpuio::core {

/// What all probes of one calibration share. Thread safety: none; the calibrating thread's.
struct Session {
  const base::Clock& clock;
  bool quick = false;
  std::function<bool()> cancelled = {};

  [[nodiscard]] Status check() const {
    return cancelled && cancelled() ? Status(Code::cancelled, "the calibration was cancelled") : Status();
  }
};

/// What one pass of a measurement did, and in which time.
struct Pass {
  double units = 0;
  std::uint64_t duration_ns = 0;
};

/// Repeats passes of a few milliseconds and keeps the best: whatever else the machine does can only slow them down.
class Meter {
 public:
  explicit Meter(const Session& session) : session_(session), budget_ns_(session.quick ? 6'000'000 : 100'000'000) {}

  /// Units a second. `pass` gives a Result<Pass> each time. Fails with `cancelled` or as a pass did.
  template <class Work>
  [[nodiscard]] Result<double> best_rate(Work pass) const {
    constexpr int kPassesMin = 3;
    const std::uint64_t start_ns = session_.clock.now_ns();
    double best = 0;
    for (int passes = 0; passes < kPassesMin || session_.clock.now_ns() - start_ns < budget_ns_; ++passes) {
      GPUIO_TRY(session_.check());
      GPUIO_ASSIGN(const Pass done, pass());
      best = std::max(best, done.units * 1e9 / static_cast<double>(std::max<std::uint64_t>(done.duration_ns, 1)));
    }
    return best;
  }

  /// As best_rate, of passes of `units` each that are timed here. `work` gives a Status.
  template <class Work>
  [[nodiscard]] Result<double> best_rate_of(double units, Work work) const {
    return best_rate([&]() -> Result<Pass> {
      const std::uint64_t begin_ns = session_.clock.now_ns();
      GPUIO_TRY(work());
      return Pass{units, session_.clock.now_ns() - begin_ns};
    });
  }

 private:
  const Session& session_;
  std::uint64_t budget_ns_;
};

}  // namespace gpuio::core
