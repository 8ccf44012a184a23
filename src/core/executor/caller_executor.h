// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "base/clock.h"
#include "core/executor/reactor.h"
#include "core/spi/executor.h"
#include "gpuio/result.hpp"

namespace gpuio::core {

/// Drive::caller: no threads. Whoever calls `turn` or `wait` drives machines and tasks, one thread at a time.
class CallerExecutor final : public spi::Executor {
 public:
  /// `clock` must be the system's monotonic one and outlive the executor.
  [[nodiscard]] static Result<std::unique_ptr<CallerExecutor>> create(base::Clock& clock);

  /// Runs what was posted. No machine may be attached any more, nobody may wait.
  ~CallerExecutor() override;

  [[nodiscard]] base::Clock& clock() noexcept override { return reactor_->clock(); }
  [[nodiscard]] unsigned workers() const noexcept override { return 0; }
  void post(spi::Task& task) override;
  void attach(spi::Pollable& machine) override { reactor_->attach(machine); }
  void detach(spi::Pollable& machine) override { reactor_->detach(machine); }
  void wake() override { reactor_->wake(); }

  /// From within a poll or a task, which it would wait for, it returns at once.
  bool wait(const std::atomic<std::uint32_t>& word, std::uint32_t value, std::uint64_t deadline_ns) override;
  void notify(std::atomic<std::uint32_t>& word) override;

  /// False also while another thread drives, or from within a poll or a task.
  bool turn() override;
  [[nodiscard]] int wake_fd() const noexcept override { return reactor_->descriptor(); }

  /// True within a poll or a task of this executor.
  [[nodiscard]] bool is_reactor_thread() const noexcept override;

 private:
  CallerExecutor() = default;

  bool run_tasks();
  bool run_round();
  void drive(const std::atomic<std::uint32_t>& word, std::uint32_t value, std::uint64_t deadline_ns);
  void wait_for_driver(const std::atomic<std::uint32_t>& word, std::uint32_t value, std::uint64_t deadline_ns) noexcept;
  void stop_driving() noexcept;
  void pass_on() noexcept;

  std::unique_ptr<Reactor> reactor_;
  std::uint64_t next_ns_ = spi::kNever;    ///< The driver's: when to poll next.
  std::atomic<std::uint32_t> waiters_{0};  ///< Threads that wait while another drives,
  std::atomic<std::uint32_t> epoch_{0};    ///< on this word: counts notifications and changes of the driver.
  std::mutex mutex_;                       ///< Guards the tasks.
  spi::Task* first_ = nullptr;
  spi::Task* last_ = nullptr;
};

}  // namespace gpuio::core
