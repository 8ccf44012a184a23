// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/topology/sysfs.h"
#include "gpuio/topology.hpp"

/// The parts of a topology, each read by a file of its own, in this order: the nodes' tiers need what CXL is made of.
namespace gpuio::core::topology {

/// Nodes, their processors, distances and HMAT; which of them this process may use. Fails with `corrupt`, `not_found`.
[[nodiscard]] Status read_nodes(const Sysfs& sysfs, Topology& topology);

/// What this process may use: processors, and the memory that its control groups grant.
[[nodiscard]] Status read_limits(const Sysfs& sysfs, Topology& topology);

/// Accelerators, drives and network adapters.
void read_pci(const Sysfs& sysfs, Topology& topology);

/// Memory devices, decoders, regions and dax devices.
void read_cxl(const Sysfs& sysfs, Topology& topology);

/// What each node is made of, from all of the above.
void find_tiers(const Sysfs& sysfs, Topology& topology);

}  // namespace gpuio::core::topology
