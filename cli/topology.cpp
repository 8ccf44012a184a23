// SPDX-License-Identifier: Apache-2.0
// `gpuio topology`: the machine's memory nodes, the devices near them and CXL, as text, JSON or a picture.

#include <fstream>
#include <memory>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/topology_words.h"
#include "gpuio/topology.hpp"

namespace gpuio::cli {
namespace {

struct TopologyOptions {
  std::string root = "/";
  std::string svg;
};

Json json_of(const MemoryNode& node) {
  Json distances = Json::array();
  for (const NodeDistance& to : node.distances) distances.push_back({{"node", to.node}, {"distance", to.distance}});
  const NodeAccess& access = node.access;
  return {{"id", node.id},
          {"total_bytes", node.total_bytes},
          {"free_bytes", node.free_bytes},
          {"available_bytes", node.available_bytes},
          {"cpus", node.cpus},
          {"tier", to_string(node.tier)},
          {"kernel_tier", node.kernel_tier ? Json(*node.kernel_tier) : Json()},
          {"usable", node.usable},
          {"reason", node.reason.empty() ? Json() : Json(node.reason)},
          {"distances", distances},
          {"access",
           {{"initiators", access.initiators},
            {"read_bytes_per_second", access.read_bandwidth_bytes_per_second},
            {"write_bytes_per_second", access.write_bandwidth_bytes_per_second},
            {"read_latency_ns", access.read_latency_ns},
            {"write_latency_ns", access.write_latency_ns}}}};
}

Json node_or_null(int node) { return node < 0 ? Json() : Json(node); }

Json json_of(const TopologyDevice& device) {
  const PciLink& link = device.link;
  return {{"kind", to_string(device.kind)},
          {"name", device.name},
          {"address", device.address},
          {"vendor", device.vendor},
          {"driver", device.driver},
          {"node", node_or_null(device.node)},
          {"link",
           {{"gt_per_second", link.speed_gt_per_second},
            {"width", link.width},
            {"gt_per_second_max", link.speed_max_gt_per_second},
            {"width_max", link.width_max},
            {"bytes_per_second", link.bytes_per_second()}}},
          {"bridges", device.bridges}};
}

Json cxl_json_of(const Topology& topology) {
  Json memories = Json::array();
  for (const CxlMemory& memory : topology.cxl_memories) {
    memories.push_back({{"name", memory.name},
                        {"address", memory.address},
                        {"serial", memory.serial},
                        {"firmware", memory.firmware},
                        {"ram_bytes", memory.ram_bytes},
                        {"pmem_bytes", memory.pmem_bytes},
                        {"node", node_or_null(memory.node)}});
  }
  Json decoders = Json::array();
  for (const CxlDecoder& decoder : topology.cxl_decoders) {
    decoders.push_back({{"name", decoder.name},
                        {"kind", to_string(decoder.kind)},
                        {"port", decoder.port},
                        {"start", decoder.start},
                        {"size_bytes", decoder.size_bytes},
                        {"interleave_ways", decoder.interleave_ways},
                        {"interleave_granularity", decoder.interleave_granularity},
                        {"mode", decoder.mode},
                        {"region", decoder.region}});
  }
  Json regions = Json::array();
  for (const CxlRegion& region : topology.cxl_regions) {
    regions.push_back({{"name", region.name},
                       {"mode", region.mode},
                       {"start", region.start},
                       {"size_bytes", region.size_bytes},
                       {"interleave_ways", region.interleave_ways},
                       {"interleave_granularity", region.interleave_granularity},
                       {"committed", region.committed},
                       {"memories", region.memories},
                       {"node", node_or_null(region.node)}});
  }
  return {{"memories", memories}, {"decoders", decoders}, {"regions", regions}};
}

Json json_of(const Topology& topology) {
  Json nodes = Json::array();
  for (const MemoryNode& node : topology.nodes) nodes.push_back(json_of(node));
  Json devices = Json::array();
  for (const TopologyDevice& device : topology.devices) devices.push_back(json_of(device));
  Json dax_devices = Json::array();
  for (const DaxDevice& dax : topology.dax_devices) {
    dax_devices.push_back({{"name", dax.name},
                           {"path", dax.path.empty() ? Json() : Json(dax.path)},
                           {"mode", to_string(dax.mode)},
                           {"size_bytes", dax.size_bytes},
                           {"align_bytes", dax.align_bytes},
                           {"node", node_or_null(dax.node)},
                           {"target_node", node_or_null(dax.target_node)},
                           {"region", dax.region}});
  }
  return {{"schema", "gpuio.topology/1"},
          {"nodes", nodes},
          {"offline_nodes", topology.offline_nodes},
          {"devices", devices},
          {"cxl", cxl_json_of(topology)},
          {"dax_devices", dax_devices},
          {"allowed_cpus", topology.allowed_cpus},
          {"memory_limit_bytes", topology.memory_limit_bytes > 0 ? Json(topology.memory_limit_bytes) : Json()}};
}

void write_file(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary);
  file << content << std::flush;
  if (!file) throw Error(Status::from_errno(errno, "writing the picture failed").with("path", path));
}

ExitCode topology(const Shell& shell, const TopologyOptions& options, bool json) {
  const Topology found = read_topology(options.root).value();
  if (!options.svg.empty()) write_file(options.svg, topology_svg(found));
  if (json) {
    print_json(shell, json_of(found));
  } else if (options.svg.empty()) {
    shell.print(topology_text(found, shell.out));
  }
  return ExitCode::ok;
}

}  // namespace

void add_topology(CLI::App& root, Command& chosen) {
  const auto options = std::make_shared<TopologyOptions>();
  CLI::App* app = root.add_subcommand("topology", "Show memory nodes, the devices near them, links and CXL memory");
  app->add_option("--svg", options->svg, "Draw a picture into FILE instead")->type_name("FILE");
  app->add_option("--root", options->root, "Read a copy of another machine's /sys and /proc (made by tools/sysfs_tree)")
      ->type_name("PATH");
  add_json(*app, chosen);
  add_examples(*app, {{"gpuio topology", "nodes, distances, devices, CXL"},
                      {"gpuio topology --svg machine.svg", "a picture for people"},
                      {"gpuio topology --json | jq '.devices[] | select(.kind == \"accelerator\") | .node'",
                       "each accelerator's nearest node"}});
  app->callback([options, &chosen] {
    chosen.run = [options, &chosen](const Shell& shell) { return topology(shell, *options, chosen.json); };
  });
}

}  // namespace gpuio::cli
