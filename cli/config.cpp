// SPDX-License-Identifier: Apache-2.0
// `gpuio config`: the settings in force and where each came from; whether a file of settings is right.

#include <algorithm>
#include <memory>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/context_flags.h"
#include "cli/json.h"
#include "cli/table.h"
#include "cli/units.h"
#include "gpuio/settings.hpp"

namespace gpuio::cli {
namespace {

constexpr std::string_view kDefaultOrigin = "default";

Json json_of(const Settings& settings) {
  Json list = Json::array();
  for (const std::string& key : Settings::keys()) {
    const SettingInfo info = Settings::describe(key).value();
    list.push_back({{"key", key},
                    {"value", settings.text(key).value()},
                    {"origin", settings.origin(key).value()},
                    {"default", info.default_value},
                    {"type", info.type},
                    {"allowed", info.allowed},
                    {"reloadable", info.reloadable},
                    {"variable", info.variable},
                    {"description", info.description}});
  }
  return {{"schema", "gpuio.config/1"}, {"settings", list}};
}

/// What is not at its default stands out.
std::string text_of(const Settings& settings, bool with_origin, const Terminal& out) {
  Table table({{.title = "setting"}, {.title = "value"}, {.title = with_origin ? "origin" : ""}});
  for (const std::string& key : Settings::keys()) {
    const std::string origin = settings.origin(key).value();
    const Style style = origin == kDefaultOrigin ? Style::plain : Style::bold;
    table.add_row({key, out.paint(settings.text(key).value(), style), with_origin ? origin : ""});
  }
  return table.render(out);
}

ExitCode show(const Shell& shell, const ContextFlags& flags, bool with_origin, bool json) {
  const Settings settings = flags.settings();
  if (json) {
    print_json(shell, json_of(settings));
  } else {
    shell.print(text_of(settings, with_origin, shell.out));
  }
  return ExitCode::ok;
}

ExitCode check(const Shell& shell, const std::string& file, bool json) {
  const Settings settings = Settings::load({.file = file, .use_file = true, .use_environment = false}).value();
  const auto set_by_file = static_cast<std::uint64_t>(std::ranges::count_if(
      Settings::keys(), [&](const std::string& key) { return settings.origin(key).value() != kDefaultOrigin; }));
  if (json) {
    print_json(shell, {{"schema", "gpuio.config-check/1"}, {"file", file}, {"ok", true}, {"settings", set_by_file}});
  } else {
    shell.print(fmt::format("{}: ok, {}\n", file, format_count(set_by_file, "setting")));
  }
  return ExitCode::ok;
}

void add_show(CLI::App& config, Command& chosen) {
  struct Options {
    ContextFlags flags;
    bool origin = false;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* app = config.add_subcommand("show", "Print every setting in force");
  app->add_flag("--origin", options->origin,
                "And where it came from: default, file and line, environment, command line");
  add_context_flags(*app, options->flags);
  add_json(*app, chosen);
  add_examples(*app, {{"gpuio config show --origin", "what is set, and where"},
                      {"gpuio config show --set local.queue_depth_max=64", "try a value"}});
  app->callback([options, &chosen] {
    chosen.run = [options, &chosen](const Shell& shell) {
      return show(shell, options->flags, options->origin, chosen.json);
    };
  });
}

void add_check(CLI::App& config, Command& chosen) {
  const auto file = std::make_shared<std::string>();
  CLI::App* app = config.add_subcommand("check", "Check a file of settings: keys, types and ranges");
  app->add_option("FILE", *file, "A TOML file")->required()->type_name("");
  add_json(*app, chosen);
  add_examples(*app,
               {{"gpuio config check ~/.config/gpuio/config.toml", "exit code 1 and the line, if something is wrong"}});
  app->callback([file, &chosen] {
    chosen.run = [file, &chosen](const Shell& shell) { return check(shell, *file, chosen.json); };
  });
}

}  // namespace

void add_config(CLI::App& root, Command& chosen) {
  CLI::App* app = root.add_subcommand("config", "Show or check settings");
  app->require_subcommand(1);
  add_show(*app, chosen);
  add_check(*app, chosen);
}

}  // namespace gpuio::cli
