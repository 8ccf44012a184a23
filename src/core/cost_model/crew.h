// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "core/executor/work_pool.h"

namespace gpuio::core {

/// Threads that begin a piece of work at the same moment, for measuring what they do together. Thread safety: none.
class Crew {
 public:
  /// `threads` of them on the cores of `numa_node` (-1, or a node that has none: anywhere). Fails as start_thread.
  [[nodiscard]] static Result<Crew> start(unsigned threads, int numa_node);

  [[nodiscard]] unsigned threads() const noexcept { return pool_->workers(); }

  /// Runs `work(thread)` on all of them; the time from the first's beginning to the last's end.
  std::uint64_t run(const base::Clock& clock, const std::function<void(unsigned thread)>& work) const;

  /// From giving a thread something to do to its being done, nothing in between: what a hand-over costs.
  [[nodiscard]] std::uint64_t hand_over(const base::Clock& clock) const;

 private:
  explicit Crew(std::unique_ptr<WorkPool> pool) noexcept : pool_(std::move(pool)) {}

  std::unique_ptr<WorkPool> pool_;
};

}  // namespace gpuio::core
