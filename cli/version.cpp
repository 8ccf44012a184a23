// SPDX-License-Identifier: Apache-2.0
// `gpuio version` and `gpuio --version`.

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/json.h"

namespace gpuio::cli {
namespace {

ExitCode version(const Shell& shell, bool json) {
  if (json) {
    print_json(shell, {{"schema", "gpuio.version/1"}, {"version", GPUIO_VERSION}, {"compiler", __VERSION__}});
  } else {
    shell.print("gpuio " GPUIO_VERSION "\n");
  }
  return ExitCode::ok;
}

}  // namespace

void add_version(CLI::App& root, Command& chosen) {
  root.set_version_flag("--version", "gpuio " GPUIO_VERSION, "Print the version and exit");
  CLI::App* app = root.add_subcommand("version", "Print the version");
  add_json(*app, chosen);
  app->callback([&chosen] { chosen.run = [&chosen](const Shell& shell) { return version(shell, chosen.json); }; });
}

}  // namespace gpuio::cli
