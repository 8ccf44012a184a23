// SPDX-License-Identifier: Apache-2.0
#include "gpuio/topology.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "base/try.h"
#include "core/topology/parts.h"

namespace gpuio {
namespace {

/// The share of a link's signals that are data: 8b/10b up to 5 GT/s, 128b/130b up to 32, flits of 242 in 256 above.
double line_code(double gt_per_second) {
  if (gt_per_second <= 5) return 8.0 / 10;
  return gt_per_second <= 32 ? 128.0 / 130 : 242.0 / 256;
}

std::uint64_t link_rate(double gt_per_second, std::uint32_t width) {
  return static_cast<std::uint64_t>(gt_per_second * 1e9 / 8 * line_code(gt_per_second) * width);
}

}  // namespace

std::string_view to_string(MemoryTier tier) noexcept {
  static constexpr std::array<std::string_view, 4> kNames = {"dram", "hbm", "cxl", "far"};
  return kNames[static_cast<std::size_t>(tier)];
}

std::string_view to_string(DeviceKind kind) noexcept {
  static constexpr std::array<std::string_view, 3> kNames = {"accelerator", "storage", "network"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view to_string(CxlDecoderKind kind) noexcept {
  static constexpr std::array<std::string_view, 3> kNames = {"root", "port", "endpoint"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view to_string(DaxMode mode) noexcept {
  static constexpr std::array<std::string_view, 3> kNames = {"devdax", "system_ram", "unbound"};
  return kNames[static_cast<std::size_t>(mode)];
}

std::uint64_t PciLink::bytes_per_second() const noexcept { return link_rate(speed_gt_per_second, width); }
std::uint64_t PciLink::max_bytes_per_second() const noexcept { return link_rate(speed_max_gt_per_second, width_max); }

const MemoryNode* Topology::node(int id) const noexcept {
  const auto found = std::ranges::find(nodes, id, &MemoryNode::id);
  return found != nodes.end() ? &*found : nullptr;
}

std::uint32_t Topology::distance(int from, int to) const noexcept {
  const MemoryNode* const start = node(from);
  if (start == nullptr) return 0;
  const auto found = std::ranges::find(start->distances, to, &NodeDistance::node);
  return found != start->distances.end() ? found->distance : 0;
}

std::vector<int> Topology::cpus_near(int id) const {
  const MemoryNode* const memory = node(id);
  if (memory == nullptr || !memory->cpus.empty()) return memory != nullptr ? memory->cpus : std::vector<int>();
  std::vector<int> cpus;
  for (const int initiator : memory->access.initiators) {
    const MemoryNode* const near = node(initiator);
    if (near != nullptr) cpus.insert(cpus.end(), near->cpus.begin(), near->cpus.end());
  }
  if (!cpus.empty()) return cpus;
  std::uint32_t least = std::numeric_limits<std::uint32_t>::max();
  for (const MemoryNode& other : nodes) {
    const std::uint32_t away = distance(other.id, id);
    if (other.cpus.empty() || away == 0 || away >= least) continue;
    least = away;
    cpus = other.cpus;
  }
  return cpus;
}

Result<Topology> read_topology(const std::string& root) {
  const core::topology::Sysfs sysfs(root);
  Topology topology;
  GPUIO_TRY(core::topology::read_nodes(sysfs, topology));
  GPUIO_TRY(core::topology::read_limits(sysfs, topology));
  core::topology::read_pci(sysfs, topology);
  core::topology::read_cxl(sysfs, topology);
  core::topology::find_tiers(sysfs, topology);
  return topology;
}

}  // namespace gpuio
