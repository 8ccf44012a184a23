// SPDX-License-Identifier: Apache-2.0
#include "core/executor/caller_executor.h"

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "core/executor/futex.h"

namespace gpuio::core {

Result<std::unique_ptr<CallerExecutor>> CallerExecutor::create(base::Clock& clock) {
  std::unique_ptr<CallerExecutor> executor(new CallerExecutor);
  GPUIO_ASSIGN(executor->reactor_, Reactor::create(clock));
  executor->reactor_->rest(spi::kNever);
  return executor;
}

CallerExecutor::~CallerExecutor() {
  while (run_tasks()) {
  }
}

bool CallerExecutor::is_reactor_thread() const noexcept { return reactor_->is_driver(); }

void CallerExecutor::post(spi::Task& task) {
  task.next = nullptr;
  {
    const std::lock_guard lock(mutex_);
    (last_ == nullptr ? first_ : last_->next) = &task;
    last_ = &task;
  }
  reactor_->wake();
}

bool CallerExecutor::run_tasks() {
  spi::Task* task = nullptr;
  {
    const std::lock_guard lock(mutex_);
    task = std::exchange(first_, nullptr);
    last_ = nullptr;
  }
  const bool any = task != nullptr;
  while (task != nullptr) std::exchange(task, task->next)->run();
  return any;
}

bool CallerExecutor::run_round() {
  const bool ran_tasks = run_tasks();
  const Reactor::Round round = reactor_->round();
  next_ns_ = round.next_ns;
  return ran_tasks || round.worked;
}

void CallerExecutor::stop_driving() noexcept {
  reactor_->rest(next_ns_);
  reactor_->leave();
  pass_on();
}

void CallerExecutor::pass_on() noexcept {
  ++epoch_;
  if (waiters_ > 0) futex_wake(epoch_);
}

bool CallerExecutor::turn() {
  if (!reactor_->try_enter()) return false;
  const bool readable = reactor_->look();
  const bool worked = run_round();
  stop_driving();
  return readable || worked;
}

bool CallerExecutor::wait(const std::atomic<std::uint32_t>& word, std::uint32_t value, std::uint64_t deadline_ns) {
  const auto changed = [&] { return word.load(std::memory_order_acquire) != value; };
  while (!changed() && !is_reactor_thread() && clock().now_ns() < deadline_ns) {
    if (reactor_->try_enter()) {
      drive(word, value, deadline_ns);
    } else {
      wait_for_driver(word, value, deadline_ns);
    }
  }
  return changed();
}

void CallerExecutor::drive(const std::atomic<std::uint32_t>& word, std::uint32_t value, std::uint64_t deadline_ns) {
  reactor_->look();
  while (true) {
    const bool worked = run_round();
    if (word.load(std::memory_order_acquire) != value || clock().now_ns() >= deadline_ns) break;
    if (!worked) reactor_->sleep(std::min(next_ns_, deadline_ns));
  }
  stop_driving();
}

void CallerExecutor::wait_for_driver(const std::atomic<std::uint32_t>& word, std::uint32_t value,
                                     std::uint64_t deadline_ns) noexcept {
  ++waiters_;
  const std::uint32_t epoch = epoch_;
  if (word.load(std::memory_order_acquire) == value && reactor_->has_driver()) futex_wait(epoch_, epoch, deadline_ns);
  --waiters_;
}

void CallerExecutor::notify(std::atomic<std::uint32_t>&) {
  pass_on();
  if (!is_reactor_thread()) reactor_->wake();
}

}  // namespace gpuio::core
