// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>

#include "base/clock.h"
#include "core/executor/reactor.h"
#include "core/executor/work_pool.h"
#include "core/spi/executor.h"
#include "gpuio/result.hpp"

namespace gpuio::core {

/// Drive::threads: one reactor thread and a work pool of its own.
class ThreadExecutor final : public spi::Executor {
 public:
  /// `clock` must be the system's monotonic one and outlive the executor.
  [[nodiscard]] static Result<std::unique_ptr<ThreadExecutor>> start(base::Clock& clock,
                                                                     const WorkPool::Options& options = {});

  /// Runs what was posted, then stops. No machine may be attached any more, nobody may wait.
  ~ThreadExecutor() override;

  [[nodiscard]] base::Clock& clock() noexcept override { return reactor_->clock(); }
  [[nodiscard]] unsigned workers() const noexcept override { return pool_->workers(); }
  void post(spi::Task& task) override { pool_->post(task); }
  void post_near(spi::Task& task, int node) override { pool_->post_near(task, node); }
  [[nodiscard]] std::span<const spi::WorkerNode> worker_nodes() const noexcept override { return pool_->nodes(); }
  [[nodiscard]] bool tasks_wait() const noexcept override { return pool_->tasks_wait(); }
  void attach(spi::Pollable& machine) override { reactor_->attach(machine); }
  void detach(spi::Pollable& machine) override { reactor_->detach(machine); }
  void wake() override { reactor_->wake(); }

  /// On the reactor thread, which would wait for itself, it returns at once.
  bool wait(const std::atomic<std::uint32_t>& word, std::uint32_t value, std::uint64_t deadline_ns) override;
  void notify(std::atomic<std::uint32_t>& word) override;

  bool turn() override { return false; }
  [[nodiscard]] int wake_fd() const noexcept override { return -1; }

  [[nodiscard]] bool is_reactor_thread() const noexcept override;

 private:
  ThreadExecutor() = default;
  void run() noexcept;
  std::atomic<std::uint32_t>& waiters_of(const std::atomic<std::uint32_t>& word) noexcept;

  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<WorkPool> pool_;
  unsigned spins_ = 0;  ///< Looks at a word before a waiter sleeps.
  std::atomic<bool> stopping_{false};
  /// Threads asleep, by the words that they wait for: whoever changes another word need not call the kernel.
  std::array<std::atomic<std::uint32_t>, 64> waiters_{};
  std::thread thread_;
};

}  // namespace gpuio::core
