// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <string>

#include "core/topology/parts.h"

namespace gpuio::core::topology {
namespace {

const std::filesystem::path kCxl = "sys/bus/cxl/devices";
const std::filesystem::path kDax = "sys/bus/dax/devices";

std::uint32_t small(std::uint64_t number) { return static_cast<std::uint32_t>(number); }

/// The part of a path before the last: what a device of the bus hangs on.
std::string parent_of(const std::vector<std::string>& parts) {
  return parts.size() < 2 ? std::string() : parts[parts.size() - 2];
}

CxlMemory read_memory(const Sysfs& sysfs, const std::string& name) {
  const std::filesystem::path folder = kCxl / name;
  CxlMemory memory;
  memory.name = name;
  const std::string parent = parent_of(sysfs.real_parts(folder));
  if (std::ranges::count(parent, ':') == 2) memory.address = parent;
  memory.serial = sysfs.text_or_empty(folder / "serial");
  memory.firmware = sysfs.text_or_empty(folder / "firmware_version");
  memory.ram_bytes = sysfs.number_or(folder / "ram/size", 0);
  memory.pmem_bytes = sysfs.number_or(folder / "pmem/size", 0);
  memory.node = sysfs.node_in(folder / "numa_node");
  return memory;
}

CxlDecoderKind decoder_kind(const std::string& type, const std::string& port) {
  if (type == "cxl_decoder_root" || port.starts_with("root")) return CxlDecoderKind::root;
  if (type == "cxl_decoder_endpoint" || port.starts_with("endpoint")) return CxlDecoderKind::endpoint;
  return CxlDecoderKind::port;
}

CxlDecoder read_decoder(const Sysfs& sysfs, const std::string& name) {
  const std::filesystem::path folder = kCxl / name;
  CxlDecoder decoder;
  decoder.name = name;
  decoder.port = parent_of(sysfs.real_parts(folder));
  decoder.kind = decoder_kind(sysfs.text_or_empty(folder / "devtype"), decoder.port);
  decoder.start = sysfs.number_or(folder / "start", 0);
  decoder.size_bytes = sysfs.number_or(folder / "size", 0);
  decoder.interleave_ways = small(sysfs.number_or(folder / "interleave_ways", 0));
  decoder.interleave_granularity = small(sysfs.number_or(folder / "interleave_granularity", 0));
  decoder.mode = sysfs.text_or_empty(folder / "mode");
  decoder.region = sysfs.text_or_empty(folder / "region");
  return decoder;
}

/// "decoder2.0" is of endpoint2, whose `uport` leads to mem0.
std::string memory_of(const Sysfs& sysfs, const std::string& decoder) {
  const std::string port = parent_of(sysfs.real_parts(kCxl / decoder));
  const std::string memory = sysfs.link_name(kCxl / port / "uport");
  return memory.starts_with("mem") ? memory : std::string();
}

CxlRegion read_region(const Sysfs& sysfs, const std::string& name) {
  const std::filesystem::path folder = kCxl / name;
  CxlRegion region;
  region.name = name;
  region.mode = sysfs.text_or_empty(folder / "mode");
  region.start = sysfs.number_or(folder / "resource", 0);
  region.size_bytes = sysfs.number_or(folder / "size", 0);
  region.interleave_ways = small(sysfs.number_or(folder / "interleave_ways", 0));
  region.interleave_granularity = small(sysfs.number_or(folder / "interleave_granularity", 0));
  region.committed = sysfs.number_or(folder / "commit", 0) == 1;
  for (const std::string& target : sysfs.names(folder, "target")) {
    std::string memory = memory_of(sysfs, sysfs.text_or_empty(folder / target));
    if (!memory.empty()) region.memories.push_back(std::move(memory));
  }
  return region;
}

/// The CXL region in a dax device's path. NVDIMMs have regions as well; those of the bridge between CXL and NVDIMMs
/// have the names of the CXL regions that they are made of.
std::string region_in(const std::vector<std::string>& parts) {
  bool bridged = false;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    bridged = bridged || parts[i - 1].starts_with("nvdimm-bridge");
    if (parts[i].starts_with("region") && (bridged || parts[i - 1].starts_with("decoder"))) return parts[i];
  }
  return {};
}

DaxDevice read_dax(const Sysfs& sysfs, const std::string& name) {
  const std::filesystem::path folder = kDax / name;
  DaxDevice dax;
  dax.name = name;
  const std::string driver = sysfs.link_name(folder / "driver");
  if (driver == "device_dax") dax.mode = DaxMode::devdax;
  if (driver == "kmem") dax.mode = DaxMode::system_ram;
  if (dax.mode == DaxMode::devdax) dax.path = "/dev/" + name;
  dax.size_bytes = sysfs.number_or(folder / "size", 0);
  dax.align_bytes = sysfs.number_or(folder / "align", 0);
  dax.node = sysfs.node_in(folder / "numa_node");
  dax.target_node = sysfs.node_in(folder / "target_node");
  dax.region = region_in(sysfs.real_parts(folder));
  return dax;
}

/// The node whose memory block holds a physical address: firmware may have made CXL memory a node before Linux came.
int node_of_address(const Sysfs& sysfs, const Topology& topology, std::uint64_t address) {
  const std::optional<std::uint64_t> block_bytes =
      parse_number("0x" + sysfs.text_or_empty("sys/devices/system/memory/block_size_bytes"));
  if (!block_bytes || *block_bytes == 0) return -1;
  const std::string block = "memory" + std::to_string(address / *block_bytes);
  for (const MemoryNode& node : topology.nodes) {
    if (sysfs.exists("sys/devices/system/node/node" + std::to_string(node.id) + "/" + block)) return node.id;
  }
  return -1;
}

void find_region_nodes(const Sysfs& sysfs, Topology& topology) {
  for (CxlRegion& region : topology.cxl_regions) {
    const auto made_of_it = [&](const DaxDevice& dax) {
      return dax.region == region.name && dax.mode == DaxMode::system_ram;
    };
    const auto dax = std::ranges::find_if(topology.dax_devices, made_of_it);
    if (dax != topology.dax_devices.end()) {
      region.node = dax->target_node;
    } else if (region.committed && region.size_bytes > 0) {
      region.node = node_of_address(sysfs, topology, region.start);
    }
  }
}

void read_kernel_tiers(const Sysfs& sysfs, Topology& topology) {
  const std::filesystem::path tiers = "sys/devices/virtual/memory_tiering";
  for (const std::string& name : sysfs.names(tiers, "memory_tier")) {
    const auto number = parse_number(std::string_view(name).substr(11));
    const auto ids = parse_list(sysfs.text_or_empty(tiers / name / "nodelist"));
    if (!number || !ids) continue;
    for (MemoryNode& node : topology.nodes) {
      if (std::ranges::binary_search(*ids, node.id)) node.kernel_tier = static_cast<int>(*number);
    }
  }
}

/// The kernel's tier of memory that has processors beside it.
std::optional<int> dram_tier(const Topology& topology) {
  std::optional<int> tier;
  for (const MemoryNode& node : topology.nodes) {
    if (node.cpus.empty() || !node.kernel_tier) continue;
    tier = tier ? std::min(*tier, *node.kernel_tier) : *node.kernel_tier;
  }
  return tier;
}

}  // namespace

void read_cxl(const Sysfs& sysfs, Topology& topology) {
  for (const std::string& name : sysfs.names(kCxl)) {
    if (name.starts_with("decoder")) topology.cxl_decoders.push_back(read_decoder(sysfs, name));
    if (name.starts_with("mem")) topology.cxl_memories.push_back(read_memory(sysfs, name));
    if (name.starts_with("region")) topology.cxl_regions.push_back(read_region(sysfs, name));
  }
  for (const std::string& name : sysfs.names(kDax, "dax")) topology.dax_devices.push_back(read_dax(sysfs, name));
  find_region_nodes(sysfs, topology);
}

void find_tiers(const Sysfs& sysfs, Topology& topology) {
  read_kernel_tiers(sysfs, topology);
  const std::optional<int> dram = dram_tier(topology);
  for (MemoryNode& node : topology.nodes) {
    // A node with processors is DRAM, whatever else firmware mixed into it.
    if (!node.cpus.empty()) continue;
    if (std::ranges::find(topology.cxl_regions, node.id, &CxlRegion::node) != topology.cxl_regions.end()) {
      node.tier = MemoryTier::cxl;
    } else if (dram && node.kernel_tier && *node.kernel_tier != *dram) {
      node.tier = *node.kernel_tier < *dram ? MemoryTier::hbm : MemoryTier::far;
    }
  }
}

}  // namespace gpuio::core::topology
