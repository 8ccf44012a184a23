// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "core/request/run_state.h"

namespace gpuio::core {

/// Moves bytes between slabs (or lent pages) and their place on a device, and tells when they are there. Polls events;
/// never waits for a stream. Reactor only.
class Mover {
 public:
  /// Queues the device's part of `run`; it comes back from `poll`. On failure nothing was queued.
  [[nodiscard]] Status start(RunState& run);

  /// Gives every run whose copies have ended since, with the device's verdict.
  template <class Done>
  void poll(Done&& done) {
    for (std::size_t i = 0; i < moving_.size();) {
      RunState* run = moving_[i];
      Result<bool> finished = run->device->device().finished(run->event);
      if (finished && !*finished) {
        ++i;
        continue;
      }
      moving_[i] = moving_.back();
      moving_.pop_back();
      run->device->give_event(run->event);
      run->event = nullptr;
      done(*run, finished.status());
    }
  }

  [[nodiscard]] bool idle() const noexcept { return moving_.empty(); }

 private:
  [[nodiscard]] Status queue(RunState& run, spi::StreamHandle stream);
  [[nodiscard]] static Status queue_fill(const RunState& run, spi::StreamHandle stream);

  std::vector<RunState*> moving_;
  std::vector<spi::CopySegment> segments_;  ///< Scratch.
};

}  // namespace gpuio::core
