// SPDX-License-Identifier: Apache-2.0
// What `gpuio doctor` says of nodes, links and CXL.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "gpuio/topology.hpp"

namespace gpuio {
namespace {

using Level = Finding::Level;

std::string size_text(std::uint64_t bytes) {
  constexpr double kMiB = 1024.0 * 1024;
  const auto mib = static_cast<double>(bytes) / kMiB;
  return mib < 1024 ? fmt::format("{:.0f} MiB", mib) : fmt::format("{:.1f} GiB", mib / 1024);
}

Finding about_nodes(const Topology& topology) {
  std::uint64_t total = 0;
  std::uint64_t free = 0;
  for (const MemoryNode& node : topology.nodes) {
    total += node.total_bytes;
    free += node.free_bytes;
  }
  const auto without = std::ranges::count_if(topology.nodes, [](const MemoryNode& node) { return node.cpus.empty(); });
  std::string text = fmt::format("{} node{}", topology.nodes.size(), topology.nodes.size() == 1 ? "" : "s");
  if (without > 0) text += fmt::format(" ({} without processors)", without);
  return {Level::ok, "numa", fmt::format("{}, {}, {} free", text, size_text(total), size_text(free)), ""};
}

void append_nodes(const Topology& topology, std::vector<Finding>& findings) {
  findings.push_back(about_nodes(topology));
  for (const MemoryNode& node : topology.nodes) {
    const std::string subject = fmt::format("numa node {}", node.id);
    if (!node.usable && node.total_bytes > 0) {
      findings.push_back({Level::note, subject, "not for this process: " + node.reason,
                          "widen cpuset.mems of its control group (--cpuset-mems of a container)"});
    } else if (node.cpus.empty()) {
      findings.push_back(
          {Level::ok, subject, fmt::format("{} of {}", size_text(node.total_bytes), to_string(node.tier)), ""});
    }
    if (topology.nodes.size() > 1 && node.distances.empty()) {
      findings.push_back({Level::note, subject, "the kernel does not tell its distances: none is nearer than another",
                          "ACPI SLIT is the firmware's; a newer one may have it"});
    }
  }
  if (topology.memory_limit_bytes > 0) {
    findings.push_back({Level::note, "memory limit",
                        "control groups grant this process " + size_text(topology.memory_limit_bytes),
                        "raise memory.max (--memory of a container)"});
  }
}

void append_devices(const Topology& topology, std::vector<Finding>& findings) {
  for (const TopologyDevice& device : topology.devices) {
    const std::string subject = fmt::format("pci {}", device.address);
    if (device.node < 0 && device.kind == DeviceKind::accelerator) {
      findings.push_back({Level::warning, subject, device.name + ": firmware does not tell its nearest memory node",
                          "set memory.numa_node, or turn on NUMA (SRAT, _PXM) in the firmware's setup"});
    }
    const PciLink& link = device.link;
    if (link.width > 0 && link.width < link.width_max) {
      findings.push_back({Level::warning, subject,
                          fmt::format("{}: {} of its {} lanes are in use", device.name, link.width, link.width_max),
                          "another slot, or seat it anew; slots may share lanes"});
    } else if (link.speed_gt_per_second > 0 && link.speed_gt_per_second < link.speed_max_gt_per_second) {
      findings.push_back({Level::note, subject,
                          fmt::format("{}: {:g} of {:g} GT/s a lane; idle devices slow down to save power", device.name,
                                      link.speed_gt_per_second, link.speed_max_gt_per_second),
                          ""});
    }
  }
}

bool is_in_a_region(const Topology& topology, const CxlMemory& memory) {
  return std::ranges::any_of(topology.cxl_regions, [&](const CxlRegion& region) {
    return std::ranges::find(region.memories, memory.name) != region.memories.end();
  });
}

Finding about_dax(const Topology& topology, const DaxDevice& dax) {
  const std::string what = fmt::format("{} of {}", size_text(dax.size_bytes),
                                       dax.region.empty() ? std::string("no CXL region") : dax.region);
  switch (dax.mode) {
    case DaxMode::devdax:
      return {Level::ok, dax.name, fmt::format("{}, mapped through {}", what, dax.path), ""};
    case DaxMode::system_ram:
      if (topology.node(dax.target_node) != nullptr) {
        return {Level::ok, dax.name, fmt::format("{}, on line as node {}", what, dax.target_node), ""};
      }
      return {Level::note, dax.name, fmt::format("{}, system-ram that is off line", what),
              "daxctl online-memory " + dax.name};
    case DaxMode::unbound:
      break;
  }
  return {Level::note, dax.name, what + ", no driver has it",
          fmt::format("daxctl reconfigure-device --mode=devdax (or system-ram) {}", dax.name)};
}

void append_cxl(const Topology& topology, std::vector<Finding>& findings) {
  if (topology.cxl_memories.empty()) findings.push_back({Level::note, "cxl", "no CXL memory devices", ""});
  for (const CxlMemory& memory : topology.cxl_memories) {
    const std::string what = fmt::format("{} volatile, {} persistent at {}", size_text(memory.ram_bytes),
                                         size_text(memory.pmem_bytes), memory.address);
    const std::string subject = "cxl " + memory.name;
    if (is_in_a_region(topology, memory)) {
      findings.push_back({Level::ok, subject, what, ""});
    } else {
      findings.push_back(
          {Level::note, subject, what + "; no region has it",
           fmt::format("cxl create-region -m {} -t {}", memory.name, memory.ram_bytes > 0 ? "ram" : "pmem")});
    }
  }
  for (const CxlRegion& region : topology.cxl_regions) {
    if (region.size_bytes > 0 && !region.committed) {
      findings.push_back({Level::warning, "cxl " + region.name, "configured, but its addresses do not answer",
                          "cxl enable-region " + region.name});
    }
  }
  for (const DaxDevice& dax : topology.dax_devices) findings.push_back(about_dax(topology, dax));
}

}  // namespace

std::vector<Finding> Topology::diagnose() const {
  std::vector<Finding> findings;
  append_nodes(*this, findings);
  append_devices(*this, findings);
  append_cxl(*this, findings);
  return findings;
}

}  // namespace gpuio
