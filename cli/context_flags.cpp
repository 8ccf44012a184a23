// SPDX-License-Identifier: Apache-2.0
#include "cli/context_flags.h"

#include <CLI/CLI.hpp>

namespace gpuio::cli {

Settings ContextFlags::settings() const {
  SettingsOptions options;
  options.file = file;
  Settings settings = Settings::load(options).value();
  for (const std::string& assignment : assignments) {
    const std::size_t equals = assignment.find('=');
    throw_if_failed(settings.set(assignment.substr(0, equals), assignment.substr(equals + 1)));
  }
  return settings;
}

Context ContextFlags::open() const {
  ContextOptions options{.settings = settings(), .drive = Drive::threads};
  return Context::create(options).value();
}

void add_context_flags(CLI::App& app, ContextFlags& flags) {
  const CLI::Validator assignment(
      [](const std::string& text) {
        return text.find('=') == std::string::npos ? "'" + text + "' is not KEY=VALUE" : std::string();
      },
      "");
  app.add_option("--config", flags.file, "Settings file to use instead of the usual ones")->type_name("FILE");
  app.add_option("--set", flags.assignments, "Change a setting; 'gpuio config show' lists them")
      ->check(assignment)
      ->expected(1)
      ->type_name("KEY=VALUE")
      ->take_all();
}

}  // namespace gpuio::cli
