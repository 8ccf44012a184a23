// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "core/spi/executor.h"
#include "sim/fate.h"

namespace gpuio::sim {

/// One thread, a clock of its own, and chance in the place of a kernel's scheduler: runs posted tasks and polls
/// machines that are due, one at a time, in an order that follows from the seed. Only waiting drives it. When nothing
/// is ready, time jumps to the next moment at which something is.
///
/// Ends the process, with the seed, when somebody waits for what can never happen (nothing is posted, nothing is due),
/// waits longer than `patience_ns`, or waits inside a poll. Thread safety: none but now_ns.
class Executor final : public spi::Executor {
 public:
  struct Options {
    unsigned workers = 3;
    std::uint64_t patience_ns = 600'000'000'000;
  };
  Executor(std::shared_ptr<Fate> fate, const Options& options) : fate_(std::move(fate)), options_(options) {}

  /// Runs what is still posted, as production's executors do.
  ~Executor() override;

  [[nodiscard]] base::ManualClock& clock() noexcept override { return clock_; }
  [[nodiscard]] unsigned workers() const noexcept override { return options_.workers; }
  void post(spi::Task& task) override { tasks_.push_back(&task); }
  void attach(spi::Pollable& machine) override { machines_.push_back({&machine, spi::kNever, true}); }
  void detach(spi::Pollable& machine) override;
  void wake() override;
  bool wait(const std::atomic<std::uint32_t>& word, std::uint32_t value, std::uint64_t deadline_ns) override;
  void notify(std::atomic<std::uint32_t>& /*word*/) override {}
  [[nodiscard]] bool is_reactor_thread() const noexcept override { return polling_; }
  bool turn() override { return step(); }
  [[nodiscard]] int wake_fd() const noexcept override { return -1; }

  /// Lets simulated time pass.
  void run_for(std::uint64_t duration_ns);
  /// How many tasks ran and machines were polled.
  [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }

 private:
  struct Machine {
    spi::Pollable* pollable;  ///< Null once detached.
    std::uint64_t next_ns;
    bool woken;
  };

  [[nodiscard]] bool due(const Machine& machine) const noexcept;
  bool step();  ///< One task or one poll; false if there was none.
  void run_task(std::size_t index);
  void poll_machine(std::size_t index);
  void jump(std::uint64_t no_later_than_ns);
  [[noreturn]] void fail(const char* why) const;

  std::shared_ptr<Fate> fate_;
  Options options_;
  base::ManualClock clock_{1'000'000};
  std::vector<spi::Task*> tasks_;
  std::vector<Machine> machines_;
  std::vector<std::size_t> ready_;  ///< Scratch.
  bool polling_ = false;
  std::uint64_t steps_ = 0;
};

}  // namespace gpuio::sim
