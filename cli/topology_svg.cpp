// SPDX-License-Identifier: Apache-2.0
// One column for each node with processors: the node, memory without processors beside it, then what hangs on its PCI.
#include <algorithm>
#include <array>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/svg.h"
#include "cli/topology_columns.h"
#include "cli/topology_words.h"
#include "cli/units.h"

namespace gpuio::cli {
namespace {

constexpr double kMargin = 32;
constexpr double kColumnWidth = 356;
constexpr double kColumnGap = 64;
constexpr double kTop = 92;
constexpr double kBus = 12;     ///< The line that a node's devices hang on, from the column's left.
constexpr double kIndent = 34;  ///< Where they begin.
constexpr double kSpace = 10;   ///< Between what is stacked.
constexpr double kDevice = 44;  ///< A device's height.
constexpr double kCpu = 8;      ///< A processor's side.
constexpr double kCpuPitch = 10;
constexpr std::size_t kCpusMax = 256;  ///< Squares; beyond it each stands for several.

constexpr std::string_view kStyle = R"(
text{font-family:system-ui,"Segoe UI","DejaVu Sans",sans-serif;fill:#1f2328}
.page{fill:#ffffff}.head{font-size:20px;font-weight:600}.name{font-size:14px;font-weight:600}
.body{font-size:12px}.small{font-size:11px;fill:#59636e}.warn{font-size:11px;fill:#9a6700;font-weight:600}
.card{fill:#f6f8fa;stroke:#d1d9e0}.group{fill:none;stroke:#d1d9e0;stroke-dasharray:4 3}.bar{fill:#e3e8ed}
.bus{stroke:#afb8c1;stroke-linecap:round}.hop{stroke:#afb8c1;stroke-linecap:round}
.cpu{fill:#57606a}.cpu-off{fill:#d1d9e0}
.dram{fill:#57606a}.hbm{fill:#cf222e}.cxl{fill:#8250df}.far{fill:#bc4c00}
.accelerator{fill:#1a7f37}.storage{fill:#0969da}.network{fill:#bf8700}.idle{fill:#afb8c1}
.near{fill:#dafbe1}.middle{fill:#fff8c5}.distant{fill:#ffd8b5}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117}.small{fill:#9198a1}.warn{fill:#d29922}
.card{fill:#151b23;stroke:#3d444d}.group{stroke:#3d444d}.bar{fill:#2a313c}.bus,.hop{stroke:#656c76}
.cpu{fill:#9198a1}.cpu-off{fill:#3d444d}.dram{fill:#9198a1}.cxl{fill:#ab7df8}
.near{fill:#12261e}.middle{fill:#2e2a1f}.distant{fill:#3d2412}}
)";

/// Thicker where more fits through: 1 px to 6 px over three orders of magnitude.
double thickness_of(std::uint64_t bytes_per_second) {
  constexpr double kLeast = 1e8;
  double thickness = 1;
  for (auto rate = static_cast<double>(bytes_per_second); rate > kLeast && thickness < 6; rate /= 4) ++thickness;
  return thickness;
}

class Picture {
 public:
  explicit Picture(const Topology& topology) : topology_(topology), columns_(columns_of(topology)) {}

  std::string draw() {
    const double width =
        std::max(2 * kMargin + static_cast<double>(columns_.size()) * (kColumnWidth + kColumnGap) - kColumnGap, 720.0);
    heading();
    double bottom = kTop;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const double x = kMargin + static_cast<double>(i) * (kColumnWidth + kColumnGap);
      bottom = std::max(bottom, column(x, columns_[i]));
      if (i > 0) hop(x, columns_[i - 1].node, columns_[i].node);
    }
    bottom = matrix(bottom + 28);
    legend(width, bottom);
    return svg_.finish(width, bottom + kMargin + 10, "Memory nodes and devices of this machine", kStyle);
  }

 private:
  void heading() {
    std::uint64_t bytes = 0;
    std::size_t cpus = 0;
    for (const MemoryNode& node : topology_.nodes) {
      bytes += node.total_bytes;
      cpus += node.cpus.size();
    }
    const auto accelerators = std::ranges::count(topology_.devices, DeviceKind::accelerator, &TopologyDevice::kind);
    svg_.text(kMargin, 44, "head", "Memory, and what is near it");
    std::string line = fmt::format("{} in {}, {}", format_size(bytes), format_count(topology_.nodes.size(), "node"),
                                   format_count(cpus, "processor"));
    if (accelerators > 0) line += ", " + format_count(static_cast<std::uint64_t>(accelerators), "accelerator");
    svg_.text(kMargin, 66, "small", line);
  }

  /// Draws all of it; returns where it ends.
  double column(double x, const TopologyColumn& column) {
    double y = kTop;
    if (column.node == nullptr) {
      svg_.text(x, y + 16, "name", "near no known node");
      y += 28;
    } else {
      y = node_card({.x = x, .y = y, .width = kColumnWidth, .height = 0}, *column.node);
    }
    const double bus_top = y;
    double bus_end = y;
    y += kSpace;
    for (const MemoryNode* memory : column.memory) {
      hook(x, bus_end = y + 22, thickness_of(memory->access.read_bandwidth_bytes_per_second));
      y = node_card({.x = x + kIndent, .y = y, .width = kColumnWidth - kIndent, .height = 0}, *memory) + kSpace;
    }
    for (const DeviceGroup& group : column.groups) y = devices(x, y, group, bus_end);
    for (const DaxDevice* dax : column.dax_devices) {
      hook(x, bus_end = y + kDevice / 2, 1);
      y = strip(x + kIndent, y, "cxl", dax->name,
                fmt::format("{}, no node: {}", to_string(dax->mode), dax->path.empty() ? "no driver" : dax->path),
                format_size(dax->size_bytes), "");
    }
    for (const CxlMemory* memory : column.idle) {
      hook(x, bus_end = y + kDevice / 2, 1);
      y = strip(x + kIndent, y, "idle", memory->name, memory->address,
                format_size(memory->ram_bytes + memory->pmem_bytes), "no region has it");
    }
    if (bus_end > bus_top) svg_.line(x + kBus, bus_top, x + kBus, bus_end, "bus", 3);
    return y;
  }

  void hook(double x, double y, double thickness) { svg_.line(x + kBus, y, x + kIndent, y, "bus", thickness); }

  double node_card(Box box, const MemoryNode& node) {
    const std::string tier(to_string(node.tier));
    const std::string access = format_access(node.access);
    const std::vector<std::string> parts = made_of(node);
    const auto per_row = static_cast<std::size_t>((box.width - 32) / kCpuPitch);
    const std::size_t each = (node.cpus.size() + kCpusMax - 1) / kCpusMax;
    const std::size_t squares = each == 0 ? 0 : (node.cpus.size() + each - 1) / each;
    const std::size_t whole_rows = (squares + per_row - 1) / per_row;
    const auto rows = static_cast<double>(whole_rows);
    box.height = 78 + static_cast<double>(parts.size()) * 16 + (squares > 0 ? 20 + rows * kCpuPitch : 0) +
                 (node.usable ? 0 : 16);
    svg_.begin_group(fmt::format("node {}: {}", node.id, node.usable ? "usable" : node.reason));
    svg_.rect(box, "card", 8);
    if (node.cpus.empty()) svg_.rect({.x = box.x, .y = box.y, .width = 5, .height = box.height}, tier, 2.5);
    svg_.text(box.x + 16, box.y + 26, "name", fmt::format("node {}", node.id));
    svg_.text(box.x + box.width - 16, box.y + 26, "name", fmt::format("{} {}", format_size(node.total_bytes), tier),
              "end");
    memory_bar({.x = box.x + 16, .y = box.y + 38, .width = box.width - 32, .height = 10}, node);
    double y = box.y + 65;
    svg_.text(box.x + 16, y, "small", format_size(node.free_bytes) + " free");
    svg_.text(box.x + box.width - 16, y, "small", access.empty() ? "" : "reads " + access, "end");
    for (const std::string& part : parts) svg_.text(box.x + 16, y += 16, "small", part);
    if (!node.usable) svg_.text(box.x + 16, y += 16, "warn", shortened(node.reason, 54));
    if (squares > 0) {
      svg_.text(
          box.x + 16, y += 18, "small",
          shortened(fmt::format("{}: {}", format_count(node.cpus.size(), "processor"), format_ids(node.cpus)), 56));
      processors(box.x + 16, y + 8, node, per_row, each);
    }
    svg_.end_group();
    return box.y + box.height;
  }

  void memory_bar(const Box& box, const MemoryNode& node) {
    svg_.rect(box, "bar", 5);
    if (node.total_bytes == 0) return;
    const double used = 1 - static_cast<double>(node.free_bytes) / static_cast<double>(node.total_bytes);
    if (used > 0) {
      svg_.rect({.x = box.x, .y = box.y, .width = std::max(used * box.width, 3.0), .height = box.height},
                to_string(node.tier), 5);
    }
  }

  void processors(double x, double y, const MemoryNode& node, std::size_t per_row, std::size_t each) {
    for (std::size_t i = 0; i * each < node.cpus.size(); ++i) {
      const bool allowed = std::ranges::binary_search(topology_.allowed_cpus, node.cpus[i * each]);
      const std::size_t row = i / per_row;
      svg_.rect({.x = x + static_cast<double>(i % per_row) * kCpuPitch,
                 .y = y + static_cast<double>(row) * kCpuPitch,
                 .width = kCpu,
                 .height = kCpu},
                allowed ? "cpu" : "cpu-off", 2);
    }
  }

  /// The CXL regions that a node's memory is.
  [[nodiscard]] std::vector<std::string> made_of(const MemoryNode& node) const {
    std::vector<std::string> lines;
    for (const CxlRegion& region : topology_.cxl_regions) {
      if (region.node != node.id) continue;
      lines.push_back(fmt::format("{}: {}", region.name, fmt::join(region.memories, " + ")));
      if (region.interleave_ways > 1) {
        lines.back() += fmt::format(", in turns of {}", format_size(region.interleave_granularity));
      }
    }
    return lines;
  }

  double devices(double x, double y, const DeviceGroup& group, double& bus_end) {
    const bool shared = group.devices.size() > 1;
    if (shared) {
      const double height = static_cast<double>(group.devices.size()) * (kDevice + kSpace) + 22;
      svg_.rect({.x = x + kIndent - 6, .y = y, .width = kColumnWidth - kIndent + 12, .height = height}, "group", 10);
      svg_.text(x + kIndent + 6, y + 16, "small", "switch " + group.bridge);
      y += 24;
    }
    for (const TopologyDevice* device : group.devices) {
      const std::string detail = fmt::format("{}  {}", device->address, device->driver);
      const bool narrowed = is_narrowed(device->link);
      std::string link = format_link(device->link);
      const std::size_t comma = link.find(", ");
      const std::string rate = comma == std::string::npos ? "" : link.substr(comma + 2);
      hook(x, bus_end = y + kDevice / 2, thickness_of(device->link.bytes_per_second()));
      y = strip(x + kIndent, y, to_string(device->kind), device->name, detail, rate, link.substr(0, comma), narrowed);
    }
    return shared ? y + kSpace : y;
  }

  /// A device's card: a coloured edge, its name and detail on the left, a rate or size and a remark on the right.
  double strip(double x, double y, std::string_view look, std::string_view name, std::string_view detail,
               std::string_view right, std::string_view remark, bool warn = false) {
    const double width = kColumnWidth - kIndent;
    svg_.begin_group(fmt::format("{} {}", name, detail));
    svg_.rect({.x = x, .y = y, .width = width, .height = kDevice}, "card", 6);
    svg_.rect({.x = x, .y = y, .width = 5, .height = kDevice}, look, 2.5);
    svg_.text(x + 16, y + 19, "name", shortened(name, 24));
    svg_.text(x + 16, y + 35, "small", shortened(detail, 32));
    svg_.text(x + width - 12, y + 19, "body", right, "end");
    svg_.text(x + width - 12, y + 35, warn ? "warn" : "small", remark, "end");
    svg_.end_group();
    return y + kDevice + kSpace;
  }

  /// Between neighbouring columns, at the height of the nodes' names.
  void hop(double x, const MemoryNode* left, const MemoryNode* right) {
    if (left == nullptr || right == nullptr) return;
    const std::uint32_t distance = topology_.distance(left->id, right->id);
    svg_.line(x - kColumnGap, kTop + 43, x, kTop + 43, "hop", 5);
    if (distance > 0) svg_.text(x - kColumnGap / 2, kTop + 36, "small", fmt::format("{}", distance), "middle");
  }

  double matrix(double y) {
    constexpr double kCell = 34;
    constexpr std::size_t kNodesMax = 16;
    const std::size_t nodes = topology_.nodes.size();
    if (nodes < 2 || nodes > kNodesMax) return y;
    svg_.text(kMargin, y, "name", "Distances");
    y += 26;
    for (std::size_t i = 0; i < nodes; ++i) {
      const double along = static_cast<double>(i) * kCell;
      svg_.text(kMargin + kCell * 1.5 + along, y, "small", fmt::format("{}", topology_.nodes[i].id), "middle");
      svg_.text(kMargin + kCell / 2, y + 26 + along, "small", fmt::format("{}", topology_.nodes[i].id), "middle");
      for (std::size_t j = 0; j < nodes; ++j) {
        const std::uint32_t distance = topology_.distance(topology_.nodes[i].id, topology_.nodes[j].id);
        const double across = static_cast<double>(j) * kCell;
        svg_.rect({.x = kMargin + kCell + across + 1, .y = y + 6 + along + 1, .width = kCell - 2, .height = kCell - 2},
                  distance <= 10   ? "near"
                  : distance <= 21 ? "middle"
                                   : "distant",
                  4);
        svg_.text(kMargin + kCell * 1.5 + across, y + 27 + along, "body",
                  distance == 0 ? "?" : fmt::format("{}", distance), "middle");
      }
    }
    return y + 12 + static_cast<double>(nodes) * kCell;
  }

  void legend(double width, double y) {
    static constexpr std::array<std::string_view, 7> kLooks = {"dram",        "hbm",     "cxl",    "far",
                                                               "accelerator", "storage", "network"};
    double x = width - kMargin;
    for (auto look = kLooks.rbegin(); look != kLooks.rend(); ++look) {
      x -= static_cast<double>(look->size()) * 6.5 + 26;
      svg_.rect({.x = x, .y = y, .width = 10, .height = 10}, *look, 3);
      svg_.text(x + 15, y + 9, "small", *look);
    }
  }

  const Topology& topology_;
  const std::vector<TopologyColumn> columns_;
  Svg svg_;
};

}  // namespace

std::string topology_svg(const Topology& topology) { return Picture(topology).draw(); }

}  // namespace gpuio::cli
