// SPDX-License-Identifier: Apache-2.0
#include "core/cost_model/crew.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "base/try.h"
#include "core/executor/futex.h"
#include "core/spi/executor.h"

namespace gpuio::core {
namespace {

/// One run of a crew. Each worker takes one task, since none ends before all have begun.
struct Muster {
  Muster(const base::Clock& time, const std::function<void(unsigned)>& body, std::uint32_t threads)
      : clock(time), work(body), size(threads), left(threads) {}

  void wait_for_all() noexcept {
    constexpr unsigned kSpinsMax = 1U << 12U;
    present.fetch_add(1, std::memory_order_acq_rel);
    for (unsigned spins = 0; present.load(std::memory_order_acquire) < size; ++spins) {
      // The one waited for may need this core.
      if (spins < kSpinsMax) {
        relax();
      } else {
        ::sched_yield();
      }
    }
  }

  const base::Clock& clock;
  const std::function<void(unsigned)>& work;
  const std::uint32_t size;
  std::atomic<std::uint32_t> present{0};
  std::atomic<std::uint32_t> left;
};

struct CrewTask final : spi::Task {
  void run() override {
    muster->wait_for_all();
    begin_ns = muster->clock.now_ns();
    muster->work(thread);
    end_ns = muster->clock.now_ns();
    // The last one's owner returns at once and takes the counter with it: waking is all that may follow.
    std::atomic<std::uint32_t>& left = muster->left;
    if (left.fetch_sub(1, std::memory_order_acq_rel) == 1) futex_wake(left);
  }

  Muster* muster = nullptr;
  unsigned thread = 0;
  std::uint64_t begin_ns = 0;
  std::uint64_t end_ns = 0;
};

}  // namespace

Result<Crew> Crew::start(unsigned threads, int numa_node) {
  WorkPool::Options options;
  options.workers = threads;
  options.numa_node = numa_node;
  GPUIO_ASSIGN(std::unique_ptr<WorkPool> pool, WorkPool::start(options));
  return Crew(std::move(pool));
}

std::uint64_t Crew::run(const base::Clock& clock, const std::function<void(unsigned)>& work) const {
  Muster muster(clock, work, threads());
  std::vector<CrewTask> tasks(threads());
  for (unsigned i = 0; i < threads(); ++i) {
    tasks[i].muster = &muster;
    tasks[i].thread = i;
    pool_->post(tasks[i]);
  }
  for (std::uint32_t left = muster.left; left != 0; left = muster.left.load(std::memory_order_acquire)) {
    futex_wait(muster.left, left, spi::kNever);
  }
  const auto first = std::ranges::min_element(tasks, {}, &CrewTask::begin_ns);
  const auto last = std::ranges::max_element(tasks, {}, &CrewTask::end_ns);
  return last->end_ns - first->begin_ns;
}

std::uint64_t Crew::hand_over(const base::Clock& clock) const {
  const std::function<void(unsigned)> nothing = [](unsigned) {};
  Muster muster(clock, nothing, 1);
  CrewTask task;
  task.muster = &muster;
  const std::uint64_t begin_ns = clock.now_ns();
  pool_->post(task);
  while (muster.left.load(std::memory_order_acquire) != 0) futex_wait(muster.left, 1, spi::kNever);
  return clock.now_ns() - begin_ns;
}

}  // namespace gpuio::core
