// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "gpuio/topology.hpp"

namespace gpuio::cli {

/// Devices that share a PCI switch, or one that shares none.
struct DeviceGroup {
  std::string bridge;  ///< The switch's address; empty: no switch, one device.
  std::vector<const TopologyDevice*> devices;
};

/// What a picture shows below one node with processors: all that is nearest to it.
struct TopologyColumn {
  const MemoryNode* node = nullptr;           ///< Null: things of which nobody knows what they are near to.
  std::vector<const MemoryNode*> memory;      ///< Nodes without processors.
  std::vector<DeviceGroup> groups;            ///< In order of kind and address.
  std::vector<const DaxDevice*> dax_devices;  ///< That are no node's memory.
  std::vector<const CxlMemory*> idle;         ///< CXL memory that no region uses.
};

/// One column for each node with processors, and one more where something is near to none. Points into `topology`.
std::vector<TopologyColumn> columns_of(const Topology& topology);

}  // namespace gpuio::cli
