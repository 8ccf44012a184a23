// SPDX-License-Identifier: Apache-2.0
#include "core/executor/work_pool.h"

#include <algorithm>
#include <iterator>
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

constexpr int kAnywhere = -1;

/// To each node as many of the workers as its processors are of all. Empty where one would have them all.
std::vector<spi::WorkerNode> deal_workers(unsigned workers, const std::vector<numa::Processors>& nodes) {
  std::uint64_t all = 0;
  for (const numa::Processors& node : nodes) all += node.count;
  std::vector<spi::WorkerNode> dealt;
  if (all == 0) return dealt;
  std::uint64_t passed = 0;
  unsigned given = 0;
  for (const numa::Processors& node : nodes) {
    passed += node.count;
    const auto until = static_cast<unsigned>(workers * passed / all);
    if (until != given) dealt.push_back({node.node, until - given});
    given = until;
  }
  if (dealt.size() < 2) dealt.clear();
  return dealt;
}

}  // namespace

/// One thread and its queue, on cache lines of their own.
struct alignas(128) WorkPool::Worker {
  Worker(WorkPool& owner, int home) noexcept : pool(&owner), node(home) {}

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
  int node;                      ///< That it is bound to.
  std::vector<Worker*> sources;  ///< Where it looks for tasks: at itself, at those of its node, at the others.
  std::mutex mutex;              ///< Guards the queue; held for a few instructions.
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
  if (options.numa_node < 0) pool->nodes_ = deal_workers(count, options.nodes);
  for (const spi::WorkerNode& home : pool->nodes_) {
    for (unsigned i = 0; i < home.workers; ++i) {
      pool->workers_.push_back(std::make_unique<Worker>(*pool, home.node));
    }
  }
  while (pool->workers_.size() < count) pool->workers_.push_back(std::make_unique<Worker>(*pool, options.numa_node));
  for (unsigned i = 0; i < count; ++i) {
    Worker& worker = *pool->workers_[i];
    for (const bool near : {true, false}) {
      for (unsigned k = 0; k < count; ++k) {
        Worker* const other = pool->workers_[(i + k) % count].get();
        if ((other->node == worker.node) == near) worker.sources.push_back(other);
      }
    }
  }
  unsigned number = 0;
  for (const std::unique_ptr<Worker>& worker : pool->workers_) {
    GPUIO_ASSIGN(worker->thread, start_thread("gpuio-" + std::to_string(number++), worker->node,
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
  Worker* target = Worker::current;
  if (target == nullptr || target->pool != this) {
    target = workers_[next_queue_.fetch_add(1, std::memory_order_relaxed) % workers_.size()].get();
  }
  enqueue(task, *target);
  wake_if_needed(kAnywhere);
}

void WorkPool::post_near(spi::Task& task, int node) noexcept {
  std::size_t first = 0;
  for (const spi::WorkerNode& home : nodes_) {
    if (home.node != node) {
      first += home.workers;
      continue;
    }
    Worker* target = Worker::current;
    if (target == nullptr || target->pool != this || target->node != node) {
      target = workers_[first + next_queue_.fetch_add(1, std::memory_order_relaxed) % home.workers].get();
    }
    enqueue(task, *target);
    return wake_if_needed(node);
  }
  post(task);
}

void WorkPool::enqueue(spi::Task& task, Worker& target) noexcept {
  task.next = nullptr;
  target.push(task);
  ++pending_;
}

// Why no task is forgotten: whoever posts raises pending_ and then looks at searching_; whoever stops searching, to
// work or to sleep, lowers searching_ and then looks at pending_. Both in one total order, so at least one sees the
// other.
void WorkPool::wake_if_needed(int node) noexcept {
  if (pending_ <= searching_) return;
  Worker* sleeper = nullptr;
  {
    const std::lock_guard lock(idle_mutex_);
    if (idle_.empty()) return;
    auto chosen = std::find_if(idle_.rbegin(), idle_.rend(),
                               [node](const Worker* worker) { return node == kAnywhere || worker->node == node; });
    if (chosen == idle_.rend()) chosen = idle_.rbegin();
    sleeper = *chosen;
    idle_.erase(std::next(chosen).base());
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
    wake_if_needed(kAnywhere);
    for (; task != nullptr; task = find(self)) task->run();
    ++searching_;
  }
}

spi::Task* WorkPool::find(Worker& self) noexcept {
  for (Worker* const source : self.sources) {
    if (spi::Task* task = source->pop(); task != nullptr) {
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
