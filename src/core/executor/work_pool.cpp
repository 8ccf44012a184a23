// SPDX-License-Identifier: Apache-2.0
#include "core/executor/work_pool.h"

#include <algorithm>
#include <string>
#include <thread>

#include "base/try.h"
#include "core/executor/futex.h"
#include "core/executor/thread.h"

namespace gpuio::core {
namespace {

/// Looking around costs a core; it pays only where cores are plenty and some stay free. About 10 us.
constexpr unsigned kSpins = 200;
constexpr unsigned kSpinCoresMin = 5;

}  // namespace

/// One thread and its queue, on cache lines of their own.
struct alignas(128) WorkPool::Worker {
  Worker(WorkPool& owner, unsigned position) noexcept : pool(&owner), index(position) {}

  void push(spi::Task& task) noexcept {
    const std::lock_guard lock(mutex);
    (last == nullptr ? first : last->next) = &task;
    last = &task;
    occupied.store(true, std::memory_order_relaxed);
  }

  spi::Task* pop() noexcept {
    if (!occupied.load(std::memory_order_relaxed)) return nullptr;
    const std::lock_guard lock(mutex);
    spi::Task* task = first;
    if (task == nullptr) return nullptr;
    first = task->next;
    if (first == nullptr) {
      last = nullptr;
      occupied.store(false, std::memory_order_relaxed);
    }
    return task;
  }

  WorkPool* pool;
  unsigned index;
  std::mutex mutex;  ///< Guards the queue; held for a few instructions.
  spi::Task* first = nullptr;
  spi::Task* last = nullptr;
  std::atomic<bool> occupied{false};     ///< Lets thieves pass by without the lock.
  std::atomic<std::uint32_t> called{0};  ///< Set to end its sleep.
  std::thread thread;

  static thread_local Worker* current;
};

thread_local WorkPool::Worker* WorkPool::Worker::current = nullptr;

/// On large machines a quarter of the cores is left to the reactor, to interrupts and to the program: a pool on all
/// of them moved resident bytes slower and took a quarter more processor time, measured on 16 cores.
unsigned workers_by_default(unsigned cores) { return cores < 8 ? cores : cores - cores / 4; }

Result<std::unique_ptr<WorkPool>> WorkPool::start(const Options& options) {
  const unsigned cores = usable_cores();
  const unsigned count = options.workers == 0 ? workers_by_default(cores) : options.workers;
  std::unique_ptr<WorkPool> pool(new WorkPool);
  pool->spins_ = cores >= kSpinCoresMin && count < cores ? kSpins : 0;
  pool->searching_ = count;
  pool->idle_.reserve(count);
  for (unsigned i = 0; i < count; ++i) pool->workers_.push_back(std::make_unique<Worker>(*pool, i));
  for (const std::unique_ptr<Worker>& worker : pool->workers_) {
    GPUIO_ASSIGN(worker->thread, start_thread("gpuio-" + std::to_string(worker->index), options.numa_node,
                                              [self = worker.get()] { self->pool->run(*self); }));
  }
  return pool;
}

WorkPool::~WorkPool() {
  {
    const std::lock_guard lock(idle_mutex_);
    stopping_ = true;
    searching_ += static_cast<std::int64_t>(idle_.size());
    for (Worker* worker : idle_) {
      worker->called.store(1, std::memory_order_release);
      futex_wake(worker->called);
    }
    idle_.clear();
  }
  for (const std::unique_ptr<Worker>& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
}

void WorkPool::post(spi::Task& task) noexcept {
  task.next = nullptr;
  Worker* target = Worker::current;
  if (target == nullptr || target->pool != this) {
    target = workers_[next_queue_.fetch_add(1, std::memory_order_relaxed) % workers_.size()].get();
  }
  target->push(task);
  ++pending_;
  wake_if_needed();
}

// Why no task is forgotten: whoever posts raises pending_ and then looks at searching_; whoever stops searching, to
// work or to sleep, lowers searching_ and then looks at pending_. Both in one total order, so at least one sees the
// other.
void WorkPool::wake_if_needed() noexcept {
  if (pending_ <= searching_) return;
  Worker* sleeper = nullptr;
  {
    const std::lock_guard lock(idle_mutex_);
    if (idle_.empty()) return;
    sleeper = idle_.back();
    idle_.pop_back();
    ++searching_;
  }
  sleeper->called.store(1, std::memory_order_release);
  futex_wake(sleeper->called, 1);
}

void WorkPool::run(Worker& self) noexcept {
  Worker::current = &self;
  while (true) {
    const bool stopping = stopping_;
    spi::Task* task = find(self);
    if (task == nullptr) {
      if (stopping) return;
      rest(self);
      continue;
    }
    --searching_;
    wake_if_needed();
    for (; task != nullptr; task = find(self)) task->run();
    ++searching_;
  }
}

spi::Task* WorkPool::find(Worker& self) noexcept {
  const std::size_t count = workers_.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (spi::Task* task = workers_[(self.index + i) % count]->pop(); task != nullptr) {
      --pending_;
      return task;
    }
  }
  return nullptr;
}

void WorkPool::rest(Worker& self) noexcept {
  for (unsigned i = 0; i < spins_; ++i) {
    if (pending_ > 0 || stopping_) return;
    relax();
  }
  {
    const std::lock_guard lock(idle_mutex_);
    self.called.store(0, std::memory_order_relaxed);
    idle_.push_back(&self);
    --searching_;
  }
  if (pending_ > 0 || stopping_) {
    const std::lock_guard lock(idle_mutex_);
    // Not there: somebody is calling it, and has counted it.
    if (std::erase(idle_, &self) != 0) {
      ++searching_;
      return;
    }
  }
  while (self.called.load(std::memory_order_acquire) == 0) futex_wait(self.called, 0, spi::kNever);
}

}  // namespace gpuio::core
