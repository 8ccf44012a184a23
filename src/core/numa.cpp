// SPDX-License-Identifier: Apache-2.0
#include "core/numa.h"

#include <numa.h>
#include <numaif.h>
#include <sched.h>

#include <cerrno>
#include <memory>
#include <string>

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

Status bind(std::byte* base, std::size_t bytes, int node) {
  if (!exists(node)) return Status(Code::not_found, "no such NUMA node: node=" + std::to_string(node));
  if (!available() || ::numa_max_node() == 0) return {};
  const std::unique_ptr<bitmask, void (*)(bitmask*)> nodes(::numa_allocate_nodemask(), ::numa_free_nodemask);
  ::numa_bitmask_setbit(nodes.get(), static_cast<unsigned>(node));
  // The kernel takes one bit less than it is told of.
  if (::mbind(base, bytes, MPOL_PREFERRED, nodes->maskp, nodes->size + 1, 0) != 0 && errno != EPERM &&
      errno != ENOSYS) {
    return Status::from_errno(errno, "binding memory to a NUMA node failed").with("bytes", bytes);
  }
  return {};
}

int node_of(const std::byte* address) noexcept {
  if (!available()) return -1;
  int node = -1;
  const long done = ::get_mempolicy(&node, nullptr, 0, const_cast<std::byte*>(address), MPOL_F_NODE | MPOL_F_ADDR);
  return done == 0 ? node : -1;
}

}  // namespace gpuio::core::numa
