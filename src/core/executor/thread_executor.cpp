// SPDX-License-Identifier: Apache-2.0
#include "core/executor/thread_executor.h"

#include <sys/prctl.h>

#include "base/try.h"
#include "core/executor/futex.h"
#include "core/executor/thread.h"

namespace gpuio::core {
namespace {

/// A waiter looks about 2 us before it sleeps, where that takes no core from those it waits for.
constexpr unsigned kSpins = 50;
constexpr unsigned kSpinCoresMin = 3;

}  // namespace

Result<std::unique_ptr<ThreadExecutor>> ThreadExecutor::start(base::Clock& clock, const WorkPool::Options& options) {
  std::unique_ptr<ThreadExecutor> executor(new ThreadExecutor);
  GPUIO_ASSIGN(executor->reactor_, Reactor::create(clock));
  GPUIO_ASSIGN(executor->pool_, WorkPool::start(options));
  executor->spins_ = usable_cores() >= kSpinCoresMin ? kSpins : 0;
  GPUIO_ASSIGN(executor->thread_,
               start_thread("gpuio-reactor", options.numa_node, [self = executor.get()] { self->run(); }));
  return executor;
}

ThreadExecutor::~ThreadExecutor() {
  pool_.reset();
  if (!thread_.joinable()) return;
  stopping_ = true;
  reactor_->wake();
  thread_.join();
}

bool ThreadExecutor::is_reactor_thread() const noexcept { return reactor_->is_driver(); }

void ThreadExecutor::run() noexcept {
  // The default rounds every sleep up by 50 us.
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  reactor_->try_enter();
  while (!stopping_) {
    const Reactor::Round round = reactor_->round();
    if (round.next_ns > reactor_->clock().now_ns()) reactor_->sleep(round.next_ns);
  }
  reactor_->leave();
}

bool ThreadExecutor::wait(const std::atomic<std::uint32_t>& word, std::uint32_t value, std::uint64_t deadline_ns) {
  const auto changed = [&] { return word.load(std::memory_order_acquire) != value; };
  if (changed()) return true;
  if (is_reactor_thread()) return false;
  for (unsigned i = 0; i < spins_; ++i) {
    relax();
    if (changed()) return true;
  }
  std::atomic<std::uint32_t>& waiters = waiters_of(word);
  ++waiters;
  while (!changed() && futex_wait(word, value, deadline_ns)) {
  }
  --waiters;
  return changed();
}

void ThreadExecutor::notify(std::atomic<std::uint32_t>& word) {
  // Adding nothing, where a load would do, puts this behind the change of the word for every waiter that it misses.
  if (waiters_of(word).fetch_add(0) > 0) futex_wake(word);
}

std::atomic<std::uint32_t>& ThreadExecutor::waiters_of(const std::atomic<std::uint32_t>& word) noexcept {
  const std::uint64_t mixed = reinterpret_cast<std::uintptr_t>(&word) * 0x9e3779b97f4a7c15ULL;
  return waiters_[mixed >> 58U];
}

}  // namespace gpuio::core
