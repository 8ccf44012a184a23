// SPDX-License-Identifier: Apache-2.0
#include "cli/workers.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include <sched.h>

namespace gpuio::cli {

unsigned worker_count(unsigned limit) {
  cpu_set_t allowed;
  const bool known = ::sched_getaffinity(0, sizeof allowed, &allowed) == 0;
  const unsigned cores = known ? static_cast<unsigned>(CPU_COUNT(&allowed)) : std::thread::hardware_concurrency();
  return std::clamp(cores, 1U, limit);
}

void run_workers(unsigned workers, const std::function<void(unsigned)>& work, const std::function<void()>& tick) {
  std::mutex mutex;
  std::condition_variable finished;
  unsigned running = workers;
  std::exception_ptr first_error;
  std::vector<std::jthread> threads;
  threads.reserve(workers);
  for (unsigned worker = 0; worker < workers; ++worker) {
    threads.emplace_back([&, worker] {
      std::exception_ptr error;
      try {
        work(worker);
      } catch (...) {
        error = std::current_exception();
      }
      const std::lock_guard lock(mutex);
      if (error && !first_error) first_error = error;
      if (--running == 0) finished.notify_one();
    });
  }
  std::unique_lock lock(mutex);
  while (!finished.wait_for(lock, kTick, [&] { return running == 0; })) {
    if (!tick) continue;
    lock.unlock();
    tick();
    lock.lock();
  }
  lock.unlock();
  threads.clear();
  if (first_error) std::rethrow_exception(first_error);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace gpuio::cli
