// SPDX-License-Identifier: Apache-2.0
#include "core/placement/placement.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <numeric>
#include <set>
#include <utility>

#include "base/align.h"
#include "base/log.h"
#include "base/try.h"

namespace gpuio {

std::string_view to_string(PlacementPolicy policy) noexcept {
  static constexpr std::array<std::string_view, 5> kNames = {"local", "bind", "preferred", "interleave",
                                                             "weighted_interleave"};
  return kNames[static_cast<std::size_t>(policy)];
}

}  // namespace gpuio

namespace gpuio::core::placement {
namespace {

constexpr std::uint64_t kHugePageBytes = std::uint64_t{2} << 20U;
constexpr std::uint32_t kWeightMax = 255;  // The kernel's.

/// Ranges that a placement by stripes may leave in the kernel's list, which has room for 65530.
constexpr std::uint64_t kRangesMax = 2048;

Status invalid(std::string message, const Placement& placement) {
  return Status(Code::invalid_argument, std::move(message)).with("policy", to_string(placement.policy));
}

Status check_shape(const Placement& placement) {
  const std::size_t count = placement.nodes.size();
  const bool weighted = placement.policy == PlacementPolicy::weighted_interleave;
  switch (placement.policy) {
    case PlacementPolicy::local:
      if (count > 0) return invalid("placement.nodes: local takes none", placement);
      break;
    case PlacementPolicy::bind:
      if (count == 0) return invalid("placement.nodes is empty", placement);
      break;
    case PlacementPolicy::preferred:
      if (count != 1) return invalid("placement.nodes: one node is preferred", placement);
      if (placement.strict) return invalid("placement.strict: preferred memory may lie elsewhere; use bind", placement);
      break;
    case PlacementPolicy::interleave:
    case PlacementPolicy::weighted_interleave:
      break;
  }
  if (!weighted && !placement.weights.empty()) {
    return invalid("placement.weights are for weighted_interleave", placement);
  }
  if (!placement.weights.empty() && placement.weights.size() != count) {
    return invalid("placement.weights: one for each of placement.nodes", placement);
  }
  for (const std::uint32_t weight : placement.weights) {
    if (weight == 0 || weight > kWeightMax) return invalid("placement.weights are 1 to 255", placement);
  }
  if (std::set<int>(placement.nodes.begin(), placement.nodes.end()).size() != count) {
    return invalid("placement.nodes: a node is named twice", placement);
  }
  return {};
}

Status check_node(int id, const Topology& topology) {
  const MemoryNode* const node = topology.node(id);
  if (node == nullptr) {
    std::vector<int> known;
    known.reserve(topology.nodes.size());
    for (const MemoryNode& other : topology.nodes) known.push_back(other.id);
    const bool off_line = std::ranges::find(topology.offline_nodes, id) != topology.offline_nodes.end();
    return Status(Code::not_found, off_line ? "this NUMA node is off line" : "no such NUMA node")
        .with("node", std::to_string(id))
        .with("on_line", text_of(known));
  }
  if (node->usable) return {};
  const Code code = node->total_bytes == 0 ? Code::not_found : Code::permission_denied;
  return Status(code, "this NUMA node can't be used: " + node->reason).with("node", std::to_string(id));
}

Status full(std::uint64_t bytes, std::uint64_t available, const std::vector<int>& nodes) {
  return Status(Code::out_of_memory, "strict memory does not fit the nodes that it is for")
      .with("bytes", bytes)
      .with("available_bytes", available)
      .with("nodes", text_of(nodes));
}

/// A full node under a strict policy has the kernel kill the process rather than say no, so it is asked before.
Status check_room(const Placement& placement, const Topology& topology, std::uint64_t bytes) {
  const std::vector<int> nodes = nodes_of(placement, topology, -1);
  const bool dealt =
      placement.policy == PlacementPolicy::interleave || placement.policy == PlacementPolicy::weighted_interleave;
  std::vector<std::uint32_t> weights = placement.weights;
  if (weights.empty()) weights.assign(nodes.size(), 1);
  const std::uint64_t total = std::accumulate(weights.begin(), weights.end(), std::uint64_t{0});
  std::uint64_t available = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::uint64_t here = topology.node(nodes[i])->available_bytes;
    const auto share = static_cast<std::uint64_t>(static_cast<double>(bytes) / static_cast<double>(total) * weights[i]);
    if (dealt && share > here) return full(share, here, {nodes[i]});
    available += here;
  }
  return bytes > available && !nodes.empty() ? full(bytes, available, nodes) : Status();
}

bool is_refused_by_sandbox(int error) { return error == EPERM || error == ENOSYS; }

Status outcome_of(int error, const Placement& placement, std::size_t bytes) {
  if (error == 0) return {};
  if (is_refused_by_sandbox(error) && !placement.strict) {
    GPUIO_LOG(info, "core", "a sandbox forbids mbind: memory lies where the kernel puts it");
    return {};
  }
  return Status::from_errno(error, "binding memory to NUMA nodes failed")
      .with("policy", to_string(placement.policy))
      .with("bytes", bytes);
}

int bind_to_any(PlacementSystem& system, std::byte* base, std::size_t bytes, const std::vector<int>& nodes,
                bool strict) {
  if (strict) return system.bind(base, bytes, MemoryMode::bind, nodes);
  if (nodes.size() > 1) {
    const int error = system.bind(base, bytes, MemoryMode::preferred_many, nodes);  // Linux 5.15
    if (error != EINVAL) return error;
  }
  return system.bind(base, bytes, MemoryMode::preferred, std::span(nodes).first(1));
}

/// The system's weights are one set for everybody: only where they are the ones wanted, its own mode serves.
int bind_weighted(PlacementSystem& system, std::byte* base, std::size_t bytes, const Placement& placement,
                  const Topology& topology, const std::vector<int>& nodes) {
  const std::optional<std::vector<std::uint32_t>> kernel = system.kernel_weights(nodes);
  if (kernel && (placement.weights.empty() || *kernel == placement.weights)) {
    const int error = system.bind(base, bytes, MemoryMode::weighted, nodes);  // Linux 6.9
    if (error != EINVAL) return error;
  }
  const Deal deal = deal_of(system, placement, topology, nodes, base, bytes, DealFor::pages_to_come);
  for (std::uint64_t at = 0; at < bytes;) {
    const std::uint64_t run = std::min<std::uint64_t>(deal.run_at(at), bytes - at);
    const int node = deal.node_at(at);
    const MemoryMode mode = placement.strict ? MemoryMode::bind : MemoryMode::preferred;
    const int error = system.bind(base + at, run, mode, std::span(&node, 1));
    if (error != 0) return error;
    at += run;
  }
  return 0;
}

Status apply_to(PlacementSystem& system, std::byte* base, std::size_t bytes, const Placement& placement,
                const Topology& topology, int nearest) {
  const std::vector<int> nodes = nodes_of(placement, topology, nearest);
  if (nodes.empty()) return {};
  int error = 0;
  switch (placement.policy) {
    case PlacementPolicy::local:
    case PlacementPolicy::bind:
    case PlacementPolicy::preferred:
      error = bind_to_any(system, base, bytes, nodes, placement.strict);
      break;
    case PlacementPolicy::interleave:
      error = system.bind(base, bytes, MemoryMode::interleave, nodes);
      break;
    case PlacementPolicy::weighted_interleave:
      error = bind_weighted(system, base, bytes, placement, topology, nodes);
      break;
  }
  return outcome_of(error, placement, bytes);
}

}  // namespace

std::string text_of(const std::vector<int>& nodes) {
  std::string text;
  for (const int node : nodes) text += (text.empty() ? "" : ",") + std::to_string(node);
  return text;
}

std::vector<int> nodes_of(const Placement& placement, const Topology& topology, int nearest) {
  if (!placement.nodes.empty()) return placement.nodes;
  if (placement.policy == PlacementPolicy::local) {
    const bool known = topology.node(nearest) != nullptr && topology.node(nearest)->usable;
    return known ? std::vector<int>{nearest} : std::vector<int>();
  }
  std::vector<int> nodes;
  for (const MemoryNode& node : topology.nodes) {
    if (node.usable) nodes.push_back(node.id);
  }
  return nodes;
}

Status check(const Placement& placement, const Topology& topology, std::uint64_t bytes) {
  GPUIO_TRY(check_shape(placement));
  for (const int node : placement.nodes) GPUIO_TRY(check_node(node, topology));
  return placement.strict ? check_room(placement, topology, bytes) : Status();
}

Status check(const Placement& placement, std::uint64_t bytes) {
  GPUIO_TRY(check_shape(placement));
  if (placement.nodes.empty() && !placement.strict) return {};
  GPUIO_ASSIGN(const Topology topology, PlacementSystem::process().topology());
  return check(placement, topology, bytes);
}

Status apply(PlacementSystem& system, std::byte* base, std::size_t bytes, const Placement& placement, int nearest) {
  // The kernel's own way is what is wanted: it costs nothing, and ranges of memory stay whole.
  if (placement.policy == PlacementPolicy::local && nearest < 0) return {};
  GPUIO_ASSIGN(const Topology topology, system.topology());
  if (placement.policy == PlacementPolicy::local && topology.nodes.size() == 1) return {};
  return apply_to(system, base, bytes, placement, topology, nearest);
}

Status verify(PlacementSystem& system, std::byte* base, std::size_t bytes, const Placement& placement, int nearest) {
  if (!placement.strict) return {};
  GPUIO_ASSIGN(const Topology topology, system.topology());
  const std::vector<int> nodes = nodes_of(placement, topology, nearest);
  if (nodes.empty()) return {};
  GPUIO_ASSIGN(const PlacementReport found, report(system, base, bytes));
  // Interleaved pages fall back to other nodes when one is full.
  for (const NodeBytes& there : found.nodes) {
    if (std::ranges::find(nodes, there.node) != nodes.end()) continue;
    return Status(Code::out_of_memory, "strict memory came from a node that it is not for")
        .with("node", std::to_string(there.node))
        .with("bytes", there.bytes)
        .with("nodes", text_of(nodes));
  }
  return {};
}

Status place(PlacementSystem& system, std::byte* base, std::size_t bytes, const Placement& placement, int nearest) {
  GPUIO_TRY(apply(system, base, bytes, placement, nearest));
  if (!placement.strict) return {};
  if (const int error = system.touch(base, bytes); error != 0) {
    return Status(Code::out_of_memory, "no memory left on the nodes that strict memory is for")
        .with("bytes", bytes)
        .with_native(error);
  }
  return verify(system, base, bytes, placement, nearest);
}

Deal::Deal(std::vector<int> nodes, const std::vector<std::uint32_t>& weights, std::uint64_t stripe_bytes,
           std::uint64_t phase_bytes)
    : nodes_(std::move(nodes)), phase_bytes_(phase_bytes) {
  std::uint64_t end = 0;
  for (const std::uint32_t weight : weights) ends_.push_back(end += weight * stripe_bytes);
}

int Deal::node_at(std::uint64_t offset) const noexcept {
  const auto turn = std::ranges::upper_bound(ends_, (offset + phase_bytes_) % ends_.back());
  return nodes_[static_cast<std::size_t>(turn - ends_.begin())];
}

std::uint64_t Deal::run_at(std::uint64_t offset) const noexcept {
  const std::uint64_t into = (offset + phase_bytes_) % ends_.back();
  return *std::ranges::upper_bound(ends_, into) - into;
}

std::uint64_t Deal::stripe_bytes_for(std::uint64_t bytes, const std::vector<std::uint32_t>& weights,
                                     std::uint64_t page_bytes) noexcept {
  const std::uint64_t round =
      std::max<std::uint64_t>(1, std::accumulate(weights.begin(), weights.end(), std::uint64_t{0}));
  const std::uint64_t unit = bytes / round >= kHugePageBytes ? kHugePageBytes : page_bytes;
  const std::uint64_t rounds_max = std::max<std::uint64_t>(1, kRangesMax / weights.size());
  return std::max(unit, base::align_up(bytes / round / rounds_max, unit));
}

Deal deal_of(PlacementSystem& system, const Placement& placement, const Topology& topology,
             const std::vector<int>& nodes, const std::byte* base, std::uint64_t bytes, DealFor what) {
  std::vector<std::uint32_t> weights = placement.weights;
  if (weights.empty() && placement.policy == PlacementPolicy::weighted_interleave) {
    weights = system.kernel_weights(nodes).value_or(std::vector<std::uint32_t>());
  }
  if (weights.empty() && placement.policy == PlacementPolicy::weighted_interleave) {
    std::uint64_t least = ~std::uint64_t{0};
    for (const int node : nodes) least = std::min(least, topology.node(node)->access.read_bandwidth_bytes_per_second);
    for (const int node : nodes) {
      const std::uint64_t rate = topology.node(node)->access.read_bandwidth_bytes_per_second;
      const std::uint64_t times = least == 0 ? 1 : (rate + least / 2) / least;
      weights.push_back(static_cast<std::uint32_t>(std::clamp<std::uint64_t>(times, 1, kWeightMax)));
    }
  }
  if (weights.empty()) weights.assign(nodes.size(), 1);
  std::uint64_t stripe = Deal::stripe_bytes_for(bytes, weights, system.page_bytes());
  if (what == DealFor::pages_there && bytes >= kHugePageBytes) stripe = std::max(stripe, kHugePageBytes);
  const std::uint64_t phase = stripe >= kHugePageBytes ? reinterpret_cast<std::uintptr_t>(base) % kHugePageBytes : 0;
  return {nodes, weights, stripe, phase};
}

}  // namespace gpuio::core::placement
