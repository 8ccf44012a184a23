// SPDX-License-Identifier: Apache-2.0
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <memory>
#include <string>

#include "gpuio/placement.hpp"
#include "gpuio/topology.hpp"

namespace gpuio {

Status bind_this_thread(const Topology& topology, int node) {
  std::vector<int> near = topology.cpus_near(node);
  if (near.empty()) {
    return Status(Code::not_found, topology.node(node) == nullptr ? "no such NUMA node" : "no processor is near it")
        .with("node", std::to_string(node));
  }
  std::ranges::sort(near);
  std::vector<int> cpus;
  std::ranges::set_intersection(near, topology.allowed_cpus, std::back_inserter(cpus));
  if (cpus.empty()) {
    return Status(Code::permission_denied, "this process may use none of the processors near the NUMA node")
        .with("node", std::to_string(node));
  }
  const std::size_t bytes = CPU_ALLOC_SIZE(cpus.back() + 1);
  const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(CPU_ALLOC(cpus.back() + 1),
                                                             [](cpu_set_t* memory) { CPU_FREE(memory); });
  if (set == nullptr) return Status(Code::out_of_memory, "no memory for a set of processors");
  CPU_ZERO_S(bytes, set.get());
  for (const int cpu : cpus) CPU_SET_S(static_cast<std::size_t>(cpu), bytes, set.get());
  if (::sched_setaffinity(0, bytes, set.get()) == 0) return {};
  return Status::from_errno(errno, "binding a thread to processors failed").with("node", std::to_string(node));
}

}  // namespace gpuio
