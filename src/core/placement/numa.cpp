// SPDX-License-Identifier: Apache-2.0
#include "core/placement/numa.h"

#include <numa.h>
#include <sched.h>

namespace gpuio::core::numa {
namespace {

/// False where the kernel has no NUMA or a sandbox forbids its calls.
bool available() noexcept {
  static const bool answer = ::numa_available() >= 0;
  return answer;
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
  const int node = ::numa_node_of_cpu(::sched_getcpu());
  return node >= 0 ? node : 0;
}

}  // namespace gpuio::core::numa
