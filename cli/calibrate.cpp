// SPDX-License-Identifier: Apache-2.0
// `gpuio calibrate`: measures what this machine's tiers cost and writes the model that the planner reads.
#include "cli/calibrate.h"

#include <chrono>
#include <memory>
#include <vector>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/context_flags.h"
#include "cli/json.h"
#include "cli/progress_bar.h"
#include "cli/units.h"
#include "cli/workers.h"
#include "gpuio/cost_model.hpp"

namespace gpuio::cli {
namespace {

struct Options {
  ContextFlags context;
  std::string output;
  std::vector<std::string> folders;
  bool quick = false;
  bool devices = true;
  bool progress = true;
};

/// Asked before anything is measured: seconds of work for nothing would be a pity.
std::string output_path(const Options& options) {
  if (!options.output.empty()) return options.output;
  const std::string path = CostModel::path_of(options.context.settings());
  if (path.empty()) {
    throw Error(Status(Code::invalid_argument,
                       "no file for the model: the setting core.cost_model is \"off\", or HOME is not set; name one "
                       "with --output"));
  }
  return path;
}

/// Without the model that is to be replaced: nobody wants to hear that it is old.
Context open(const ContextFlags& flags) {
  ContextOptions options{.settings = flags.settings(), .drive = Drive::threads};
  throw_if_failed(options.settings.set("core.cost_model", "off"));
  return Context::create(options).value();
}

CostModel measure(const Shell& shell, const Options& options) {
  constexpr std::uint64_t kShares = 1000;
  ProgressBar bar(shell.err, options.progress, "calibrate", kShares, BarUnit::shares);
  CalibrateOptions what;
  what.quick = options.quick;
  what.devices = options.devices;
  what.folders = options.folders;
  what.cancelled = [&shell] { return shell.interrupt.raised(); };
  what.progress = [&](const CalibrationProgress& progress) {
    bar.update(fmt::format("{:<28}", progress.step), static_cast<std::uint64_t>(progress.done * kShares));
    return !shell.interrupt.raised();
  };
  CostModel model = gpuio::calibrate(open(options.context), what).value();
  bar.finish();
  return model;
}

Json json_of(const CostThresholds& thresholds) {
  Json devices = Json::array();
  for (const DeviceThresholds& device : thresholds.devices) {
    devices.push_back({{"name", device.name},
                       {"bus_id", device.bus_id},
                       {"kernel_piece_bytes_max", device.kernel_piece_bytes_max},
                       {"hot_path", device.hot_path}});
  }
  return {{"inline_bytes_max", thresholds.inline_bytes_max},
          {"streamed_copy_bytes_min", thresholds.streamed_copy_bytes_min},
          {"devices", devices}};
}

ExitCode calibrate(const Shell& shell, const Options& options, bool json) {
  const std::string path = output_path(options);
  const auto start = std::chrono::steady_clock::now();
  const CostModel model = measure(shell, options);
  const double seconds = seconds_since(start);
  throw_if_failed(model.save(path));
  if (json) {
    print_json(shell, {{"schema", "gpuio.calibrate/1"},
                       {"file", path},
                       {"seconds", seconds},
                       {"thresholds", json_of(model.thresholds())},
                       {"model", Json::parse(model.to_json()).at("model")}});
  } else {
    shell.print(
        fmt::format("{}\nMeasured in {}, written to {}\n", text_of(model, shell.out), format_seconds(seconds), path));
  }
  return ExitCode::ok;
}

}  // namespace

void add_calibrate(CLI::App& root, Command& chosen) {
  const auto options = std::make_shared<Options>();
  CLI::App* app =
      root.add_subcommand("calibrate", "Measure what memory, accelerators and folders cost, for the planner");
  app->add_flag("--quick", options->quick, "Roughly, in about a second a memory node");
  app->add_option("-o,--output", options->output, "Where to write the model; default: where core.cost_model says")
      ->type_name("FILE");
  app->add_option("--folder", options->folders, "Measure files in this folder too; may be given again")
      ->expected(1)
      ->type_name("PATH")
      ->take_all();
  app->add_flag_callback(
      "--no-devices", [options] { options->devices = false; }, "Leave accelerators out, and don't open them");
  add_context_flags(*app, options->context);
  add_no_progress(*app, options->progress);
  add_json(*app, chosen);
  add_examples(*app, {{"gpuio calibrate", "some seconds; nothing else should run meanwhile"},
                      {"gpuio calibrate --quick --folder /data", "roughly, and the disk behind /data"},
                      {"gpuio calibrate --json | jq .model.memory", "for scripts"}});
  app->callback([options, &chosen] {
    chosen.run = [options, &chosen](const Shell& shell) { return calibrate(shell, *options, chosen.json); };
  });
}

}  // namespace gpuio::cli
