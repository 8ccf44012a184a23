// SPDX-License-Identifier: Apache-2.0
#include "cli/topology_words.h"

#include <fmt/core.h>

#include "cli/units.h"

namespace gpuio::cli {

std::string format_ids(std::span<const int> ids) {
  std::string text;
  for (std::size_t first = 0; first < ids.size();) {
    std::size_t last = first;
    while (last + 1 < ids.size() && ids[last + 1] == ids[last] + 1) ++last;
    text += text.empty() ? "" : ",";
    text += last == first ? fmt::format("{}", ids[first]) : fmt::format("{}-{}", ids[first], ids[last]);
    first = last + 1;
  }
  return text.empty() ? "-" : text;
}

std::string format_access(const NodeAccess& access) {
  std::string text;
  if (access.read_bandwidth_bytes_per_second > 0) {
    text = format_rate(static_cast<double>(access.read_bandwidth_bytes_per_second));
  }
  if (access.read_latency_ns > 0) text += fmt::format("{}{} ns", text.empty() ? "" : ", ", access.read_latency_ns);
  return text;
}

bool is_narrowed(const PciLink& link) {
  return link.width < link.width_max || link.speed_gt_per_second < link.speed_max_gt_per_second;
}

std::string format_link(const PciLink& link) {
  if (link.width == 0 || link.speed_gt_per_second <= 0) return "";
  std::string text = fmt::format("x{}", link.width);
  if (link.width < link.width_max) text += fmt::format(" of x{}", link.width_max);
  text += fmt::format(" {:g}", link.speed_gt_per_second);
  if (link.speed_gt_per_second < link.speed_max_gt_per_second) {
    text += fmt::format(" of {:g}", link.speed_max_gt_per_second);
  }
  return text + " GT/s, " + format_rate(static_cast<double>(link.bytes_per_second()));
}

std::string dax_of_region(const Topology& topology, const std::string& region) {
  std::string text;
  for (const DaxDevice& dax : topology.dax_devices) {
    if (dax.region != region) continue;
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", dax.name, to_string(dax.mode));
  }
  return text.empty() ? "-" : text;
}

}  // namespace gpuio::cli
