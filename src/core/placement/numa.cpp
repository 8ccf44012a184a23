// SPDX-License-Identifier: Apache-2.0
#include "core/placement/numa.h"

#include <numa.h>
#include <sched.h>

#include <memory>
#include <mutex>

namespace gpuio::core::numa {
namespace {

/// False where the kernel has no NUMA or a sandbox forbids its calls.
bool available() noexcept {
  static const bool answer = ::numa_available() >= 0;
  return answer;
}

/// The library keeps what it read of nodes and processors, and does so without a lock.
std::mutex& library_caches() noexcept {
  static std::mutex mutex;
  return mutex;
}

using Mask = std::unique_ptr<bitmask, void (*)(bitmask*)>;

/// The calling thread's processors on `node`; null where the kernel does not tell.
Mask processors_on(int node) noexcept {
  Mask allowed(::numa_allocate_cpumask(), ::numa_free_cpumask);
  const Mask near(::numa_allocate_cpumask(), ::numa_free_cpumask);
  {
    const std::lock_guard lock(library_caches());
    if (::numa_sched_getaffinity(0, allowed.get()) < 0 || ::numa_node_to_cpus(node, near.get()) != 0) {
      return {nullptr, ::numa_free_cpumask};
    }
  }
  for (unsigned cpu = 0; cpu < allowed->size; ++cpu) {
    if (::numa_bitmask_isbitset(near.get(), cpu) == 0) ::numa_bitmask_clearbit(allowed.get(), cpu);
  }
  return allowed;
}

}  // namespace

bool exists(int node) noexcept {
  if (!available()) return node == 0;
  return node >= 0 && node <= ::numa_max_node() &&
         ::numa_bitmask_isbitset(numa_all_nodes_ptr, static_cast<unsigned>(node)) != 0;
}

int nearest(int preferred) noexcept {
  if (exists(preferred)) return preferred;
  if (!available()) return 0;
  const std::lock_guard lock(library_caches());
  const int node = ::numa_node_of_cpu(::sched_getcpu());
  return node >= 0 ? node : 0;
}

unsigned processor_count(int node) {
  const Mask mask = processors_on(node);
  return mask == nullptr ? 0 : ::numa_bitmask_weight(mask.get());
}

std::vector<Processors> processors() {
  std::vector<Processors> found;
  if (!available() || ::numa_max_node() == 0) return found;
  for (int node = 0; node <= ::numa_max_node(); ++node) {
    if (!exists(node)) continue;
    if (const unsigned count = processor_count(node); count != 0) found.push_back({node, count});
  }
  if (found.size() < 2) found.clear();
  return found;
}

void run_on(int node) noexcept {
  if (!available() || !exists(node)) return;
  const Mask mask = processors_on(node);
  if (mask != nullptr && ::numa_bitmask_weight(mask.get()) != 0) ::numa_sched_setaffinity(0, mask.get());
}

}  // namespace gpuio::core::numa
