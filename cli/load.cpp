// SPDX-License-Identifier: Apache-2.0
// `gpuio load`: the command line and the report; load_run.cpp does the work.

#include <memory>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/load_run.h"
#include "cli/table.h"
#include "cli/units.h"

namespace gpuio::cli {
namespace {

/// "hot", "cold", or "mixed": where the bytes were before the load.
std::string_view cache_state(const LoadReport& report) {
  const double resident = static_cast<double>(report.resident_bytes) / static_cast<double>(report.bytes);
  return resident >= 0.99 ? "hot" : resident <= 0.01 ? "cold" : "mixed";
}

std::string cache_sentence(const LoadReport& report) {
  const double resident = static_cast<double>(report.resident_bytes) / static_cast<double>(report.bytes);
  return fmt::format("{}: {} of the bytes were in memory", cache_state(report), format_percent(resident));
}

double load_rate(const LoadReport& report) { return static_cast<double>(report.bytes) / report.median_seconds(); }

Bound bound(const LoadReport& report) {
  return bound_of_load(report.bytes, report.disk_bytes(), report.copy_rate.value_or(0), report.disk_rate);
}

std::string limit_note(const LoadReport& report) {
  if (bound(report).by_disk) {
    return fmt::format("the disk: O_DIRECT reads (the copy alone: {})", format_rate(*report.copy_rate));
  }
  if (report.device.name == "host") return "memory: memcpy on all processors";
  return fmt::format("the link: copies from pinned memory to {}", report.device.name);
}

std::string head_line(const LoadReport& report) {
  std::string text = fmt::format("Loaded {} from {}", format_size(report.bytes), format_count(report.files, "file"));
  if (report.tensors > 0) text += fmt::format(" ({})", format_count(report.tensors, "tensor"));
  text += fmt::format(" into {} ({})", report.device.name, report.device.model);
  if (report.batches > 1) text += fmt::format(", in {} batches that fit its memory", report.batches);
  return text;
}

std::string verify_line(const LoadReport& report, const Terminal& out) {
  if (report.difference) {
    const Difference& difference = *report.difference;
    const std::string tensor = difference.tensor.empty() ? "" : fmt::format(" tensor={}", difference.tensor);
    return fmt::format("{} path={}{} offset={} expected=0x{:02x} found=0x{:02x}", out.paint("WRONG BYTES:", Style::red),
                       difference.path, tensor, difference.offset, difference.expected, difference.found);
  }
  if (!report.verified) return "Not verified (--no-verify).";
  return fmt::format("{} every byte equals its file's ({} compared in {}).", out.paint("Verified:", Style::green),
                     format_size(report.verified->bytes), format_seconds(report.verified->seconds));
}

Table rate_table(const LoadReport& report, const Terminal& out) {
  using Align = Table::Align;
  const Bound limit = bound(report);
  Table table({{.title = ""},
               {.title = "rate", .align = Align::right},
               {.title = "time", .align = Align::right},
               {.title = limit.seconds > 0 ? "of limit" : "", .align = Align::right},
               {.title = ""}});
  const auto of_limit = [&](double rate) {
    if (limit.seconds <= 0) return std::string();
    return format_percent(rate * limit.seconds / static_cast<double>(report.bytes));
  };
  const std::string runs =
      report.run_seconds.size() > 1 ? fmt::format("median of {} runs; ", report.run_seconds.size()) : "";
  table.add_row({out.paint("gpuio", Style::bold), out.paint(format_rate(load_rate(report)), Style::bold),
                 format_seconds(report.median_seconds()), of_limit(load_rate(report)), runs + cache_sentence(report)});
  if (limit.seconds > 0) {
    table.add_row({"limit here", format_rate(static_cast<double>(report.bytes) / limit.seconds),
                   format_seconds(limit.seconds), "", limit_note(report)});
  }
  if (report.loop) {
    const bool all = report.loop->bytes == report.bytes;
    table.add_row({"read() loop", format_rate(report.loop->bytes_per_second()), format_seconds(report.loop->seconds),
                   of_limit(report.loop->bytes_per_second()),
                   fmt::format("chunks of {}, one thread{}", format_size(kLoopChunkBytes),
                               all ? "" : fmt::format("; the first {}", format_size(report.loop->bytes)))});
  }
  return table;
}

void print_report(const Shell& shell, const LoadReport& report) {
  const Terminal& out = shell.out;
  Table paths({{.title = "path"}, {.title = "bytes", .align = Table::Align::right}, {.title = "why"}});
  for (const PathUse& use : report.paths) paths.add_row({use.path, format_size(use.bytes), use.reason});
  shell.print(fmt::format("{}\n\n{}\n{}\n{}\n", head_line(report), rate_table(report, out).render(out),
                          paths.render(out), verify_line(report, out)));
  if (report.empty_files > 0) {
    shell.note(fmt::format("{} left out: nothing to load", format_count(report.empty_files, "empty file")));
  }
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json json_of(const Measured& measured) {
  return {{"bytes", measured.bytes}, {"seconds", measured.seconds}, {"bytes_per_second", measured.bytes_per_second()}};
}

Json json_of_verification(const LoadReport& report) {
  if (!report.verified) return {};
  Json verified = json_of(*report.verified);
  verified["ok"] = !report.difference;
  verified["difference"] = nullptr;
  if (report.difference) {
    const Difference& difference = *report.difference;
    verified["difference"] = {{"path", difference.path},
                              {"tensor", difference.tensor.empty() ? Json() : Json(difference.tensor)},
                              {"offset", difference.offset},
                              {"expected", difference.expected},
                              {"found", difference.found}};
  }
  return verified;
}

Json json_of_limit(const LoadReport& report) {
  const Bound limit = bound(report);
  if (limit.seconds <= 0) return {};
  return {{"bytes_per_second", static_cast<double>(report.bytes) / limit.seconds},
          {"by", limit.by_disk ? "disk" : "copy"},
          {"copy_bytes_per_second", or_null(report.copy_rate)},
          {"disk_bytes_per_second", or_null(report.disk_rate)}};
}

Json json_of(const LoadReport& report) {
  Json paths = Json::array();
  for (const PathUse& use : report.paths) {
    paths.push_back({{"path", use.path}, {"reason", use.reason}, {"bytes", use.bytes}});
  }
  return {{"schema", "gpuio.load/1"},
          {"device", {{"name", report.device.name}, {"model", report.device.model}}},
          {"files", report.files},
          {"tensors", report.tensors},
          {"bytes", report.bytes},
          {"batches", report.batches},
          {"cache", {{"state", cache_state(report)}, {"resident_bytes", report.resident_bytes}}},
          {"seconds", report.median_seconds()},
          {"bytes_per_second", load_rate(report)},
          {"run_seconds", report.run_seconds},
          {"limit", json_of_limit(report)},
          {"read_loop", report.loop ? json_of(*report.loop) : Json()},
          {"paths", paths},
          {"verified", json_of_verification(report)}};
}

ExitCode load(const Shell& shell, const LoadOptions& options, bool json) {
  const LoadReport report = run_load(shell, options);
  if (json) {
    print_json(shell, json_of(report));
  } else {
    print_report(shell, report);
  }
  return report.difference ? ExitCode::verification : ExitCode::ok;
}

}  // namespace

void add_load(CLI::App& root, Command& chosen) {
  const auto options = std::make_shared<LoadOptions>();
  CLI::App* app =
      root.add_subcommand("load", "Stream files into device memory, verify every byte, and say how fast it was");
  app->add_option("PATH", options->paths, "Files and folders (every regular file below); safetensors load as tensors")
      ->required()
      ->type_name("");
  app->add_option("-d,--device", options->device, "auto: the first accelerator that works, else the host")
      ->type_name("auto|host|cuda:0")
      ->capture_default_str();
  add_choice(*app, "--cache", options->cache, {"auto", "cached", "direct"},
             "Through the page cache, past it (O_DIRECT), or whichever is faster for each part");
  app->add_option("--memory", options->memory_bytes, "Use at most this much device memory; more is loaded in batches")
      ->transform(CLI::AsSizeValue(true).description(""))
      ->type_name("SIZE");
  app->add_option("--repeat", options->repeat, "Load this often and report the median")
      ->check(CLI::Range(1U, 1000U).description(""))
      ->type_name("N")
      ->capture_default_str();
  app->add_flag_callback(
      "--no-verify", [options] { options->verify = false; },
      "Don't read the bytes back and compare them with the files");
  app->add_flag_callback(
      "--no-compare", [options] { options->compare = false; },
      "Don't measure this machine's limit and a plain read loop");
  add_context_flags(*app, options->context);
  add_no_progress(*app, options->progress);
  add_json(*app, chosen);
  add_examples(*app, {{"gpuio load model.safetensors", "a model into the first GPU, or the host"},
                      {"gpuio load checkpoints/ --device cuda:1", "a whole folder into the second GPU"},
                      {"gpuio load data.bin --cache direct --repeat 5", "past the page cache, median of five"},
                      {"gpuio load data.bin --json | jq .bytes_per_second", "for scripts"}});
  app->callback([options, &chosen] {
    chosen.run = [options, &chosen](const Shell& shell) { return load(shell, *options, chosen.json); };
  });
}

}  // namespace gpuio::cli
