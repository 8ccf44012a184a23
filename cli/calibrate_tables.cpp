// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <string>

#include <fmt/core.h>

#include "cli/calibrate.h"
#include "cli/table.h"
#include "cli/units.h"

namespace gpuio::cli {
namespace {

constexpr auto kRight = Table::Align::right;

std::string rate(double bytes_per_second) {
  return bytes_per_second > 0 ? format_rate(bytes_per_second) : std::string("-");
}

std::string nanoseconds(double ns) { return ns > 0 ? fmt::format("{:.0f} ns", ns) : std::string("-"); }

std::string head_line(const MachineFingerprint& machine) {
  std::uint64_t bytes = 0;
  for (const NodeMemory& node : machine.memory) bytes += node.bytes;
  return fmt::format("{}: {}, {} on {}, {}\n", machine.processor.empty() ? "unknown processor" : machine.processor,
                     format_count(machine.cores, "core"), format_size(bytes),
                     format_count(machine.memory.size(), "node"), format_count(machine.devices.size(), "accelerator"));
}

std::string bandwidth_table(const CostModel& model, const Terminal& out) {
  Table table({{.title = "memory"},
               {.title = "threads", .align = kRight},
               {.title = "read", .align = kRight},
               {.title = "write", .align = kRight},
               {.title = "copy", .align = kRight},
               {.title = "latency", .align = kRight},
               {.title = "atomics", .align = kRight}});
  for (const MemoryCost& memory : model.memory) {
    const auto add = [&](const MemoryRates& rates, const std::string& latency, double atomics) {
      table.add_row({fmt::format("node {}", memory.node), fmt::format("{}", rates.threads),
                     rate(rates.read_bytes_per_second), rate(rates.write_bytes_per_second),
                     rate(rates.copy_bytes_per_second), latency, format_frequency(atomics)});
    };
    add(memory.one_thread, nanoseconds(memory.load_latency_ns), memory.atomics_per_second);
    add(memory.all_threads, "", memory.contended_atomics_per_second);
  }
  return table.render(out);
}

std::string rows_table(const CostModel& model, const Terminal& out) {
  Table table({{.title = "random rows"},
               {.title = "of", .align = kRight},
               {.title = "one thread", .align = kRight},
               {.title = "all threads", .align = kRight}});
  for (const MemoryCost& memory : model.memory) {
    for (const RowRate& row : memory.rows) {
      table.add_row({fmt::format("node {}", memory.node), format_size(row.row_bytes),
                     format_frequency(row.one_thread_rows_per_second),
                     format_frequency(row.all_threads_rows_per_second)});
    }
  }
  return table.render(out);
}

std::string streaming_table(const ProcessorCost& processor, const Terminal& out) {
  Table table({{.title = "copies of", .align = kRight},
               {.title = "through caches", .align = kRight},
               {.title = "past them", .align = kRight}});
  for (const StreamingRate& copy : processor.streaming) {
    table.add_row({format_size(copy.bytes), rate(copy.cached_bytes_per_second), rate(copy.streamed_bytes_per_second)});
  }
  return table.render(out);
}

std::string link_table(const DeviceCost& device, const Terminal& out) {
  Table table({{.title = "copies of", .align = kRight},
               {.title = "to it", .align = kRight},
               {.title = "from it", .align = kRight}});
  for (const LinkRate& link : device.link) {
    table.add_row(
        {format_size(link.bytes), rate(link.to_device_bytes_per_second), rate(link.from_device_bytes_per_second)});
  }
  return table.render(out);
}

std::string piece_table(const DeviceCost& device, const Terminal& out) {
  Table table({{.title = "pieces of", .align = kRight},
               {.title = "copy engine", .align = kRight},
               {.title = "one kernel", .align = kRight}});
  for (const PieceRate& piece : device.pieces) {
    table.add_row(
        {format_size(piece.bytes), rate(piece.copy_engine_bytes_per_second), rate(piece.kernel_bytes_per_second)});
  }
  return table.render(out);
}

std::string device_rows_table(const DeviceCost& device, const Terminal& out) {
  Table table({{.title = "rows of", .align = kRight},
               {.title = "pinned", .align = kRight},
               {.title = "mapped", .align = kRight}});
  for (const DeviceRowRate& row : device.rows) {
    table.add_row({format_size(row.row_bytes), format_frequency(row.pinned_rows_per_second),
                   format_frequency(row.mapped_rows_per_second)});
  }
  return table.render(out);
}

std::string device_text(const DeviceCost& device, const Terminal& out) {
  return fmt::format("\n{} ({}): a launch {}, registering memory {}\n\n{}\n{}\n{}", device.name, device.model,
                     nanoseconds(device.launch_ns), rate(device.register_bytes_per_second), link_table(device, out),
                     piece_table(device, out), device_rows_table(device, out));
}

std::string folder_table(const CostModel& model, const Terminal& out) {
  Table table({{.title = "folder"},
               {.title = "read", .align = kRight},
               {.title = "durable write", .align = kRight},
               {.title = "4 KiB reads", .align = kRight}});
  for (const FolderCost& folder : model.folders) {
    table.add_row({folder.folder, rate(folder.read_bytes_per_second), rate(folder.write_bytes_per_second),
                   format_frequency(folder.small_reads_per_second)});
  }
  return table.render(out);
}

std::string threshold_lines(const CostThresholds& thresholds) {
  constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();
  std::string text = "\nWhat the planner takes from it:\n";
  if (thresholds.inline_bytes_max > 0) {
    text +=
        fmt::format("  resident reads up to {} run on the caller's thread\n", format_size(thresholds.inline_bytes_max));
  }
  text += thresholds.streamed_copy_bytes_min == kNone ? std::string("  host copies always go through the caches\n")
                                                      : fmt::format("  host copies from {} on pass the caches\n",
                                                                    format_size(thresholds.streamed_copy_bytes_min));
  for (const DeviceThresholds& device : thresholds.devices) {
    text += fmt::format("  {}: pieces up to {} move with one kernel; resident bytes first go by \"{}\"\n", device.name,
                        format_size(device.kernel_piece_bytes_max), device.hot_path);
  }
  return text;
}

}  // namespace

std::string text_of(const CostModel& model, const Terminal& out) {
  std::string text = head_line(model.machine);
  if (!model.memory.empty()) {
    text += fmt::format("\n{}\n{}", bandwidth_table(model, out), rows_table(model, out));
  }
  if (!model.processor.streaming.empty()) text += "\n" + streaming_table(model.processor, out);
  for (const DeviceCost& device : model.devices) text += device_text(device, out);
  if (!model.folders.empty()) text += "\n" + folder_table(model, out);
  return text + threshold_lines(model.thresholds());
}

}  // namespace gpuio::cli
