// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/spi/executor.h"
#include "gpuio/result.hpp"

namespace gpuio::core {

/// Work-stealing threads that run Tasks. Posting allocates nothing and wakes no more workers than there are tasks.
///
/// A worker's own posts go to its own queue, others' are dealt round; a worker whose queue is empty takes from the
/// others. Thread safety: `post` and `workers`, any thread.
class WorkPool {
 public:
  struct Options {
    unsigned workers = 0;  ///< 0: as many as there are usable cores.
    int numa_node = -1;    ///< Bind the workers to its cores; -1: anywhere.
  };

  [[nodiscard]] static Result<std::unique_ptr<WorkPool>> start(const Options& options);

  /// Runs everything that was posted, and what that posts. Nobody else may post meanwhile.
  ~WorkPool();
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;

  [[nodiscard]] unsigned workers() const noexcept { return static_cast<unsigned>(workers_.size()); }
  void post(spi::Task& task) noexcept;
  /// As spi::Executor::tasks_wait.
  [[nodiscard]] bool tasks_wait() const noexcept { return pending_.load(std::memory_order_relaxed) > 0; }

 private:
  struct Worker;

  WorkPool() = default;

  void run(Worker& self) noexcept;
  spi::Task* find(Worker& self) noexcept;
  void rest(Worker& self) noexcept;
  void wake_if_needed() noexcept;

  std::vector<std::unique_ptr<Worker>> workers_;
  unsigned spins_ = 0;  ///< Looks around before a worker sleeps.
  std::atomic<unsigned> next_queue_{0};
  std::atomic<std::int64_t> pending_{0};    ///< Posted and not taken.
  std::atomic<std::int64_t> searching_{0};  ///< Workers awake without a task, the just woken included.
  std::atomic<bool> stopping_{false};
  std::mutex idle_mutex_;
  std::vector<Worker*> idle_;  ///< The last to fall asleep is the first to be woken: its cache is warm.
};

}  // namespace gpuio::core
