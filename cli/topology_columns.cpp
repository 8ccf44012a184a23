// SPDX-License-Identifier: Apache-2.0
#include "cli/topology_columns.h"

#include <algorithm>
#include <limits>

namespace gpuio::cli {
namespace {

class Sorter {
 public:
  explicit Sorter(const Topology& topology) : topology_(topology) {
    for (const MemoryNode& node : topology.nodes) {
      if (!node.cpus.empty())
        columns_.push_back({.node = &node, .memory = {}, .groups = {}, .dax_devices = {}, .idle = {}});
    }
  }

  std::vector<TopologyColumn> sort() {
    for (const MemoryNode& node : topology_.nodes) {
      if (node.cpus.empty()) column_near(node.id).memory.push_back(&node);
    }
    for (const TopologyDevice& device : topology_.devices) add(column_near(device.node), device);
    for (const DaxDevice& dax : topology_.dax_devices) {
      if (topology_.node(dax.target_node) == nullptr) column_near(dax.node).dax_devices.push_back(&dax);
    }
    for (const CxlMemory& memory : topology_.cxl_memories) {
      const bool used = std::ranges::any_of(topology_.cxl_regions, [&](const CxlRegion& region) {
        return std::ranges::find(region.memories, memory.name) != region.memories.end();
      });
      if (!used) column_near(memory.node).idle.push_back(&memory);
    }
    for (TopologyColumn& column : columns_) {
      std::ranges::stable_sort(column.groups, {}, [](const DeviceGroup& group) { return group.devices[0]->kind; });
    }
    return std::move(columns_);
  }

 private:
  /// By what firmware says reaches it best, then by distance; the last column, made if need be, for what is nowhere.
  TopologyColumn& column_near(int id) {
    std::vector<int> wanted = {id};
    const MemoryNode* const memory = topology_.node(id);
    if (memory != nullptr)
      wanted.insert(wanted.end(), memory->access.initiators.begin(), memory->access.initiators.end());
    for (const int node : wanted) {
      for (TopologyColumn& column : columns_) {
        if (column.node != nullptr && column.node->id == node) return column;
      }
    }
    TopologyColumn* nearest = nullptr;
    std::uint32_t least = std::numeric_limits<std::uint32_t>::max();
    for (TopologyColumn& column : columns_) {
      const std::uint32_t away = column.node == nullptr ? 0 : topology_.distance(column.node->id, id);
      if (away == 0 || away >= least) continue;
      least = away;
      nearest = &column;
    }
    if (nearest != nullptr) return *nearest;
    if (columns_.empty() || columns_.back().node != nullptr) columns_.emplace_back();
    return columns_.back();
  }

  static void add(TopologyColumn& column, const TopologyDevice& device) {
    // The first bridge is the root port; one below it is a switch.
    const std::string bridge = device.bridges.size() > 1 ? device.bridges[1] : std::string();
    const auto group = std::ranges::find(column.groups, bridge, &DeviceGroup::bridge);
    if (!bridge.empty() && group != column.groups.end()) {
      group->devices.push_back(&device);
      std::ranges::stable_sort(group->devices, {}, &TopologyDevice::kind);
    } else {
      column.groups.push_back({.bridge = bridge, .devices = {&device}});
    }
  }

  const Topology& topology_;
  std::vector<TopologyColumn> columns_;
};

}  // namespace

std::vector<TopologyColumn> columns_of(const Topology& topology) { return Sorter(topology).sort(); }

}  // namespace gpuio::cli
