// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "core/placement/numa.h"
#include "core/spi/executor.h"
#include "gpuio/result.hpp"

namespace gpuio::core {

/// Work-stealing threads that run Tasks. Posting allocates nothing and wakes no more workers than there are tasks.
///
/// A worker's own posts go to its own queue, others' are dealt round; a worker whose queue is empty takes from the
/// others, from those of its node first. Thread safety: `post` and `workers`, any thread.
class WorkPool {
 public:
  struct Options {
    unsigned workers = 0;  ///< 0: as many as there are usable cores.
    int numa_node = -1;    ///< Bind the workers to its cores; -1: anywhere.
    /// With numa_node -1: bind the workers to these nodes, to each in proportion to its cores. Empty: to none.
    std::vector<numa::Processors> nodes = {};
  };

  [[nodiscard]] static Result<std::unique_ptr<WorkPool>> start(const Options& options);

  /// Runs everything that was posted, and what that posts. Nobody else may post meanwhile.
  ~WorkPool();
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;

  [[nodiscard]] unsigned workers() const noexcept { return static_cast<unsigned>(workers_.size()); }
  void post(spi::Task& task) noexcept;
  /// For a worker of `node`, where there are some: as spi::Executor::post_near.
  void post_near(spi::Task& task, int node) noexcept;
  /// Nodes that workers are bound to, where they are several.
  [[nodiscard]] std::span<const spi::WorkerNode> nodes() const noexcept { return nodes_; }
  /// As spi::Executor::tasks_wait.
  [[nodiscard]] bool tasks_wait() const noexcept { return pending_.load(std::memory_order_relaxed) > 0; }

 private:
  struct Worker;

  WorkPool() = default;

  void run(Worker& self) noexcept;
  spi::Task* find(Worker& self) noexcept;
  void rest(Worker& self) noexcept;
  void enqueue(spi::Task& task, Worker& target) noexcept;
  void wake_if_needed(int node) noexcept;

  std::vector<std::unique_ptr<Worker>> workers_;  ///< Those of a node side by side, in the order of nodes_.
  std::vector<spi::WorkerNode> nodes_;
  unsigned spins_ = 0;  ///< Looks around before a worker sleeps.
  std::atomic<unsigned> next_queue_{0};
  std::atomic<std::int64_t> pending_{0};    ///< Posted and not taken.
  std::atomic<std::int64_t> searching_{0};  ///< Workers awake without a task, the just woken included.
  std::atomic<bool> stopping_{false};
  std::mutex idle_mutex_;
  std::vector<Worker*> idle_;  ///< The last to fall asleep is the first to be woken: its cache is warm.
};

}  // namespace gpuio::core
