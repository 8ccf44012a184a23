// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/table.h"
#include "cli/topology_words.h"
#include "cli/units.h"

namespace gpuio::cli {
namespace {

/// More columns of distances than fit beside the rest.
constexpr std::size_t kDistancesMax = 16;

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

std::string node_text(int node) { return node < 0 ? "-" : fmt::format("{}", node); }

std::string nodes_table(const Topology& topology, const Terminal& terminal) {
  std::vector<Table::Column> columns = {{.title = "node", .align = Table::Align::right},
                                        {.title = "memory", .align = Table::Align::right},
                                        {.title = "free", .align = Table::Align::right},
                                        {.title = "tier"},
                                        {.title = "processors"},
                                        {.title = "reads"}};
  const bool distances = topology.nodes.size() > 1 && topology.nodes.size() <= kDistancesMax;
  for (const MemoryNode& node : topology.nodes) {
    if (distances) columns.push_back({.title = fmt::format("to {}", node.id), .align = Table::Align::right});
  }
  Table table(std::move(columns));
  for (const MemoryNode& node : topology.nodes) {
    std::vector<std::string> row = {fmt::format("{}", node.id),   format_size(node.total_bytes),
                                    format_size(node.free_bytes), std::string(to_string(node.tier)),
                                    format_ids(node.cpus),        or_dash(format_access(node.access))};
    for (const MemoryNode& to : topology.nodes) {
      if (distances) row.push_back(fmt::format("{}", topology.distance(node.id, to.id)));
    }
    table.add_row(std::move(row));
  }
  std::string text = table.render(terminal);
  for (const MemoryNode& node : topology.nodes) {
    if (!node.usable) text += terminal.paint(fmt::format("node {}: {}\n", node.id, node.reason), Style::yellow);
  }
  if (topology.memory_limit_bytes > 0) {
    text += fmt::format("control groups grant this process {}\n", format_size(topology.memory_limit_bytes));
  }
  if (!topology.offline_nodes.empty()) {
    text += terminal.paint(fmt::format("off line: {}\n", format_ids(topology.offline_nodes)), Style::dim);
  }
  return text;
}

std::string devices_table(const Topology& topology, const Terminal& terminal) {
  std::vector<const TopologyDevice*> devices;
  devices.reserve(topology.devices.size());
  for (const TopologyDevice& device : topology.devices) devices.push_back(&device);
  std::ranges::stable_sort(devices, {}, [](const TopologyDevice* device) {
    return std::pair(device->node < 0 ? 1 << 20 : device->node, device->kind);
  });
  Table table({{.title = "node", .align = Table::Align::right},
               {.title = "device"},
               {.title = "kind"},
               {.title = "address"},
               {.title = "link"},
               {.title = "below"}});
  for (const TopologyDevice* device : devices) {
    const std::string link = or_dash(format_link(device->link));
    table.add_row({node_text(device->node), device->name, std::string(to_string(device->kind)), device->address,
                   is_narrowed(device->link) ? terminal.paint(link, Style::yellow) : link,
                   terminal.paint(fmt::format("{}", fmt::join(device->bridges, " ")), Style::dim)});
  }
  return table.empty() ? "" : "\n" + table.render(terminal);
}

std::string cxl_tables(const Topology& topology, const Terminal& terminal) {
  Table memories({{.title = "cxl"},
                  {.title = "volatile", .align = Table::Align::right},
                  {.title = "persistent", .align = Table::Align::right},
                  {.title = "address"},
                  {.title = "node", .align = Table::Align::right},
                  {.title = "serial"},
                  {.title = "firmware"}});
  for (const CxlMemory& memory : topology.cxl_memories) {
    memories.add_row({memory.name, format_size(memory.ram_bytes), format_size(memory.pmem_bytes),
                      or_dash(memory.address), node_text(memory.node), memory.serial, memory.firmware});
  }
  Table regions({{.title = "region"},
                 {.title = "size", .align = Table::Align::right},
                 {.title = "mode"},
                 {.title = "memory"},
                 {.title = "node", .align = Table::Align::right},
                 {.title = "used as"}});
  for (const CxlRegion& region : topology.cxl_regions) {
    regions.add_row({region.name, format_size(region.size_bytes), or_dash(region.mode),
                     or_dash(fmt::format("{}", fmt::join(region.memories, " "))), node_text(region.node),
                     region.committed ? dax_of_region(topology, region.name) : "not committed"});
  }
  Table decoders({{.title = "decoder"},
                  {.title = "of"},
                  {.title = "start"},
                  {.title = "size", .align = Table::Align::right},
                  {.title = "ways", .align = Table::Align::right},
                  {.title = "region"}});
  for (const CxlDecoder& decoder : topology.cxl_decoders) {
    if (decoder.size_bytes == 0) continue;
    decoders.add_row({decoder.name, fmt::format("{} ({})", decoder.port, to_string(decoder.kind)),
                      fmt::format("{:#x}", decoder.start), format_size(decoder.size_bytes),
                      fmt::format("{}", decoder.interleave_ways), or_dash(decoder.region)});
  }
  Table daxes({{.title = "dax"},
               {.title = "size", .align = Table::Align::right},
               {.title = "mode"},
               {.title = "path"},
               {.title = "align", .align = Table::Align::right},
               {.title = "target node", .align = Table::Align::right},
               {.title = "region"}});
  for (const DaxDevice& dax : topology.dax_devices) {
    daxes.add_row({dax.name, format_size(dax.size_bytes), std::string(to_string(dax.mode)), or_dash(dax.path),
                   format_size(dax.align_bytes), node_text(dax.target_node), or_dash(dax.region)});
  }
  std::string text;
  for (const Table* table : {&memories, &regions, &decoders, &daxes}) {
    if (!table->empty()) text += "\n" + table->render(terminal);
  }
  return text;
}

}  // namespace

std::string topology_text(const Topology& topology, const Terminal& terminal) {
  return nodes_table(topology, terminal) + devices_table(topology, terminal) + cxl_tables(topology, terminal);
}

}  // namespace gpuio::cli
