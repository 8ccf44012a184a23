// SPDX-License-Identifier: Apache-2.0
// `gpuio copy`: from store to store through host memory, reads and writes overlapping.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include "cli/await.h"
#include "cli/commands.h"
#include "cli/context_flags.h"
#include "cli/json.h"
#include "cli/progress_bar.h"
#include "cli/units.h"
#include "cli/workers.h"
#include "gpuio/context.hpp"

namespace gpuio::cli {
namespace {

constexpr std::uint64_t kChunkBytes = 16ULL << 20;
constexpr std::size_t kSlots = 4;
/// Chunks between the newest read and the newest write; the other slots are being written.
constexpr std::size_t kReadAhead = kSlots / 2;

struct CopyOptions {
  ContextFlags context;
  std::string source;
  std::string destination;
  bool in_place = false;
  bool verify = false;
  bool progress = true;
};

struct CopyReport {
  std::uint64_t bytes = 0;
  double seconds = 0;
  std::optional<double> verify_seconds;
  std::optional<std::uint64_t> difference_offset;
};

Extent chunk(std::uint64_t index, std::uint64_t size_bytes) {
  const std::uint64_t offset = index * kChunkBytes;
  return {.offset = offset, .length = std::min(kChunkBytes, size_bytes - offset)};
}

/// One copy under way: a ring of chunks, each read, then written.
class Copier {
 public:
  Copier(const Context& context, Store source, Store destination, const Interrupt& interrupt)
      : context_(context), source_(std::move(source)), destination_(std::move(destination)), interrupt_(interrupt) {
    const Device host = context_.device("host").value();
    for (Slot& slot : slots_) slot.memory = host.allocate(kChunkBytes).value();
  }

  void run(std::uint64_t size_bytes, const std::function<void(std::uint64_t)>& tick) {
    const std::uint64_t chunks = (size_bytes + kChunkBytes - 1) / kChunkBytes;
    for (std::uint64_t i = 0; i < chunks + kReadAhead; ++i) {
      if (i < chunks) {
        finish_write(slots_[i % kSlots]);
        tick(written_bytes_);
        start_read(slots_[i % kSlots], chunk(i, size_bytes));
      }
      if (i >= kReadAhead && i - kReadAhead < chunks) start_write(slots_[(i - kReadAhead) % kSlots]);
    }
    for (Slot& slot : slots_) finish_write(slot);
    tick(written_bytes_);
  }

 private:
  struct Slot {
    Buffer memory;
    Extent extent;
    Request read;
    Request write;
  };

  void start_read(Slot& slot, Extent extent) {
    slot.extent = extent;
    const Layout where = Layout::contiguous(extent.offset, extent.length);
    slot.read = context_.read(source_, where, slot.memory.slice(0, extent.length).value()).value();
  }

  void start_write(Slot& slot) {
    await(slot.read, interrupt_);
    const Layout where = Layout::contiguous(slot.extent.offset, slot.extent.length);
    slot.write = context_.write(destination_, where, slot.memory.slice(0, slot.extent.length).value()).value();
  }

  void finish_write(Slot& slot) {
    if (!slot.write) return;
    await(slot.write, interrupt_);
    slot.write = Request();
    written_bytes_ += slot.extent.length;
  }

  Context context_;
  Store source_;
  Store destination_;
  const Interrupt& interrupt_;
  std::array<Slot, kSlots> slots_;
  std::uint64_t written_bytes_ = 0;
};

/// Offset of the first byte that differs in the first `size_bytes` of both.
std::optional<std::uint64_t> first_difference(const Context& context, const Store& a, const Store& b,
                                              std::uint64_t size_bytes, const Interrupt& interrupt,
                                              const std::function<void(std::uint64_t)>& tick) {
  const Device host = context.device("host").value();
  const Buffer memory_a = host.allocate(kChunkBytes).value();
  const Buffer memory_b = host.allocate(kChunkBytes).value();
  for (std::uint64_t offset = 0; offset < size_bytes; offset += kChunkBytes) {
    const Extent extent = chunk(offset / kChunkBytes, size_bytes);
    const Layout where = Layout::contiguous(extent.offset, extent.length);
    const Request read_a = context.read(a, where, memory_a.slice(0, extent.length).value()).value();
    const Request read_b = context.read(b, where, memory_b.slice(0, extent.length).value()).value();
    await(read_a, interrupt);
    await(read_b, interrupt);
    const std::span<const std::byte> bytes_a(memory_a.data(), extent.length);
    const std::span<const std::byte> bytes_b(memory_b.data(), extent.length);
    if (std::memcmp(bytes_a.data(), bytes_b.data(), extent.length) != 0) {
      return offset + static_cast<std::uint64_t>(std::ranges::mismatch(bytes_a, bytes_b).in1 - bytes_a.begin());
    }
    tick(offset + extent.length);
  }
  return std::nullopt;
}

CopyReport run_copy(const Shell& shell, const CopyOptions& options) {
  const Context context = options.context.open();
  const Store source = context.open(options.source).value();
  CopyReport report{.bytes = source.size(), .seconds = 0, .verify_seconds = {}, .difference_offset = {}};
  const auto start = std::chrono::steady_clock::now();
  {
    // In this scope, so that a destination that was written aside is closed before it is opened again below.
    OpenOptions open;
    open.mode = options.in_place ? OpenMode::create : OpenMode::replace;
    open.size_bytes = report.bytes;
    const Store destination = context.open(options.destination, open).value();
    ProgressBar bar(shell.err, options.progress, "copy  ", report.bytes);
    Copier(context, source, destination, shell.interrupt).run(report.bytes, [&](std::uint64_t b) { bar.update(b); });
    shell.interrupt.check();
    throw_if_failed(destination.commit());
    bar.finish();
  }
  report.seconds = seconds_since(start);
  if (options.verify) {
    const auto verify_start = std::chrono::steady_clock::now();
    const Store destination = context.open(options.destination).value();
    ProgressBar bar(shell.err, options.progress, "verify", report.bytes);
    report.difference_offset = first_difference(context, source, destination, report.bytes, shell.interrupt,
                                                [&](std::uint64_t b) { bar.update(b); });
    bar.finish();
    report.verify_seconds = seconds_since(verify_start);
  }
  return report;
}

double rate(const CopyReport& report) {
  return report.seconds > 0 ? static_cast<double>(report.bytes) / report.seconds : 0;
}

void print_text(const Shell& shell, const CopyOptions& options, const CopyReport& report) {
  std::string text =
      fmt::format("Copied {} from {} to {} in {} ({}), durable.\n", format_size(report.bytes), options.source,
                  options.destination, format_seconds(report.seconds), format_rate(rate(report)));
  if (report.difference_offset) {
    text += fmt::format("{} {} and {} differ at offset {}.\n", shell.out.paint("WRONG BYTES:", Style::red),
                        options.source, options.destination, *report.difference_offset);
  } else if (report.verify_seconds) {
    text += fmt::format("{} every byte is the same, compared in {}.\n", shell.out.paint("Verified:", Style::green),
                        format_seconds(*report.verify_seconds));
  }
  shell.print(text);
}

Json json_of(const CopyOptions& options, const CopyReport& report) {
  Json verified;
  if (report.verify_seconds) {
    verified = {{"ok", !report.difference_offset}, {"seconds", *report.verify_seconds}, {"difference", nullptr}};
    if (report.difference_offset) verified["difference"] = {{"offset", *report.difference_offset}};
  }
  return {{"schema", "gpuio.copy/1"},     {"source", options.source},  {"destination", options.destination},
          {"bytes", report.bytes},        {"seconds", report.seconds}, {"bytes_per_second", rate(report)},
          {"in_place", options.in_place}, {"verified", verified}};
}

ExitCode copy(const Shell& shell, const CopyOptions& options, bool json) {
  const CopyReport report = run_copy(shell, options);
  if (json) {
    print_json(shell, json_of(options, report));
  } else {
    print_text(shell, options, report);
  }
  return report.difference_offset ? ExitCode::verification : ExitCode::ok;
}

}  // namespace

void add_copy(CLI::App& root, Command& chosen) {
  const auto options = std::make_shared<CopyOptions>();
  CLI::App* app = root.add_subcommand("copy", "Copy a store to a store, all or nothing and durable");
  app->add_option("SRC", options->source, "URI or path to read")->required()->type_name("");
  app->add_option("DST", options->destination, "URI or path to write; takes the place of what is there")
      ->required()
      ->type_name("");
  app->add_flag("--in-place", options->in_place,
                "Write into DST as it is (a block device) and keep what lies beyond SRC's length");
  app->add_flag("--verify", options->verify, "Read both again afterwards and compare every byte");
  add_context_flags(*app, options->context);
  add_no_progress(*app, options->progress);
  add_json(*app, chosen);
  add_examples(
      *app, {{"gpuio copy model.safetensors /mnt/nvme/model.safetensors --verify", "DST appears whole or not at all"},
             {"gpuio copy file:///data/image.bin block:///dev/nvme1n1 --in-place", "onto a device"}});
  app->callback([options, &chosen] {
    chosen.run = [options, &chosen](const Shell& shell) { return copy(shell, *options, chosen.json); };
  });
}

}  // namespace gpuio::cli
