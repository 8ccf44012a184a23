// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include "base/text.h"
#include "base/try.h"
#include "core/topology/parts.h"

namespace gpuio::core::topology {
namespace {

const std::filesystem::path kNodes = "sys/devices/system/node";
constexpr std::uint64_t kMegabyte = 1'000'000;

/// The number of kB behind "MemTotal:"; the per-node file has "Node 0 " before it.
std::optional<std::uint64_t> meminfo_bytes(std::string_view meminfo, std::string_view key) {
  const std::string wanted = std::string(key) + ":";
  for (std::string_view line : base::split(meminfo, '\n')) {
    const std::size_t at = line.find(wanted);
    if (at == std::string_view::npos || (at > 0 && line[at - 1] != ' ')) continue;
    std::string_view value = base::trim(line.substr(at + wanted.size()));
    if (value.ends_with(" kB")) value.remove_suffix(3);
    const std::optional<std::uint64_t> kib = parse_number(value);
    return kib ? std::optional(*kib << 10U) : std::nullopt;
  }
  return std::nullopt;
}

Status read_memory(const Sysfs& sysfs, const std::filesystem::path& file, MemoryNode& node) {
  const std::string meminfo = sysfs.text_or_empty(file);
  const auto total = meminfo_bytes(meminfo, "MemTotal");
  const auto free = meminfo_bytes(meminfo, "MemFree");
  if (!total || !free) return Status(Code::corrupt, "no MemTotal and MemFree").with("file", file.string());
  node.total_bytes = *total;
  node.free_bytes = *free;
  const std::uint64_t file_pages =
      meminfo_bytes(meminfo, "Active(file)").value_or(0) + meminfo_bytes(meminfo, "Inactive(file)").value_or(0);
  node.available_bytes = std::min(*total, *free + file_pages);
  return {};
}

/// One column per node on line. While a node comes or goes, the line has another length: then nobody knows.
std::vector<NodeDistance> read_distances(const Sysfs& sysfs, int id, const std::vector<int>& online) {
  const std::string text = sysfs.text_or_empty(kNodes / ("node" + std::to_string(id)) / "distance");
  std::vector<NodeDistance> distances;
  for (const std::string_view word : base::split(text, ' ')) {
    const std::optional<std::uint64_t> distance = parse_number(word);
    if (!distance || distances.size() == online.size()) return {};
    distances.push_back({online[distances.size()], static_cast<std::uint32_t>(*distance)});
  }
  return distances.size() == online.size() ? distances : std::vector<NodeDistance>();
}

NodeAccess read_access(const Sysfs& sysfs, int id) {
  const std::filesystem::path folder = kNodes / ("node" + std::to_string(id));
  // access0 counts accelerators among the initiators, access1 (Linux 5.12) processors alone.
  for (const char* access : {"access1", "access0"}) {
    const std::filesystem::path initiators = folder / access / "initiators";
    const std::vector<std::string> names = sysfs.names(initiators, "node");
    if (names.empty()) continue;
    NodeAccess found;
    for (const std::string& name : names) {
      if (const auto node = parse_number(std::string_view(name).substr(4))) {
        found.initiators.push_back(static_cast<int>(*node));
      }
    }
    found.read_bandwidth_bytes_per_second = sysfs.number_or(initiators / "read_bandwidth", 0) * kMegabyte;
    found.write_bandwidth_bytes_per_second = sysfs.number_or(initiators / "write_bandwidth", 0) * kMegabyte;
    found.read_latency_ns = static_cast<std::uint32_t>(sysfs.number_or(initiators / "read_latency", 0));
    found.write_latency_ns = static_cast<std::uint32_t>(sysfs.number_or(initiators / "write_latency", 0));
    return found;
  }
  return {};
}

/// A kernel without NUMA: all there is, is node 0.
Status read_single_node(const Sysfs& sysfs, Topology& topology) {
  MemoryNode node;
  GPUIO_ASSIGN(node.cpus, sysfs.list("sys/devices/system/cpu/online"));
  if (node.cpus.empty() && !sysfs.exists("proc/meminfo")) {
    return Status(Code::not_found,
                  "neither NUMA nodes nor processors are described here; expected "
                  "sys/devices/system and proc");
  }
  GPUIO_TRY(read_memory(sysfs, "proc/meminfo", node));
  node.usable = true;
  node.distances = {{0, 10}};
  topology.nodes.push_back(std::move(node));
  return {};
}

/// The value of "Mems_allowed_list:" in /proc/self/status; none where there is no such line.
std::optional<std::string> status_line(const std::string& status, std::string_view key) {
  for (const std::string_view line : base::split(status, '\n')) {
    if (line.starts_with(key)) return std::string(base::trim(line.substr(key.size())));
  }
  return std::nullopt;
}

Result<std::optional<std::vector<int>>> read_allowed(const Sysfs& sysfs, std::string_view key) {
  const std::optional<std::string> line = status_line(sysfs.text_or_empty("proc/self/status"), key);
  if (!line) return std::optional<std::vector<int>>();
  std::optional<std::vector<int>> ids = parse_list(*line);
  if (!ids) return Status(Code::corrupt, "not a list of ids: '" + *line + "'").with("file", "proc/self/status");
  return ids;
}

}  // namespace

Status read_nodes(const Sysfs& sysfs, Topology& topology) {
  GPUIO_ASSIGN(const std::vector<int> online, sysfs.list(kNodes / "online"));
  if (online.empty()) return read_single_node(sysfs, topology);
  GPUIO_ASSIGN(const std::vector<int> possible, sysfs.list(kNodes / "possible"));
  std::ranges::set_difference(possible, online, std::back_inserter(topology.offline_nodes));
  GPUIO_ASSIGN(const std::optional<std::vector<int>> allowed, read_allowed(sysfs, "Mems_allowed_list:"));
  for (const int id : online) {
    MemoryNode node;
    node.id = id;
    const std::filesystem::path folder = kNodes / ("node" + std::to_string(id));
    GPUIO_TRY(read_memory(sysfs, folder / "meminfo", node));
    GPUIO_ASSIGN(node.cpus, sysfs.list(folder / "cpulist"));
    node.distances = read_distances(sysfs, id, online);
    node.access = read_access(sysfs, id);
    const bool permitted = !allowed || std::ranges::binary_search(*allowed, id);
    node.usable = permitted && node.total_bytes > 0;
    if (node.total_bytes == 0) node.reason = "it has processors and no memory";
    if (!permitted) node.reason = "this process's cpuset leaves it out (Mems_allowed in /proc/self/status)";
    topology.nodes.push_back(std::move(node));
  }
  return {};
}

Status read_limits(const Sysfs& sysfs, Topology& topology) {
  GPUIO_ASSIGN(std::optional<std::vector<int>> allowed, read_allowed(sysfs, "Cpus_allowed_list:"));
  if (!allowed) {
    GPUIO_ASSIGN(allowed, sysfs.list("sys/devices/system/cpu/online"));
  }
  topology.allowed_cpus = *std::move(allowed);
  const auto apply = [&](const std::filesystem::path& root, std::filesystem::path group, const char* file) {
    while (true) {
      const std::uint64_t limit = sysfs.number_or(group / file, 0);  // "max" is none.
      // The first version writes the largest number of pages for "none".
      constexpr std::uint64_t kNone = std::uint64_t{1} << 62U;
      if (limit > 0 && limit < kNone) {
        topology.memory_limit_bytes =
            topology.memory_limit_bytes == 0 ? limit : std::min(topology.memory_limit_bytes, limit);
      }
      if (group == root || !group.has_relative_path()) return;
      group = group.parent_path();
    }
  };
  const std::string groups = sysfs.text_or_empty("proc/self/cgroup");
  for (const std::string_view line : base::split(groups, '\n')) {
    const std::vector<std::string_view> parts = base::split(line, ':');
    if (parts.size() < 3) continue;
    const std::filesystem::path below = std::filesystem::path(line.substr(parts[0].size() + parts[1].size() + 2));
    if (parts[0] == "0") apply("sys/fs/cgroup", "sys/fs/cgroup" / below.relative_path(), "memory.max");
    if (parts[1] == "memory") {
      apply("sys/fs/cgroup/memory", "sys/fs/cgroup/memory" / below.relative_path(), "memory.limit_in_bytes");
    }
  }
  return {};
}

}  // namespace gpuio::core::topology
