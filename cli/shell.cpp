// SPDX-License-Identifier: Apache-2.0
#include "cli/shell.h"

#include <algorithm>
#include <cerrno>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "cli/nearest.h"
#include "cli/table.h"
#include "gpuio/status.hpp"

namespace gpuio::cli {

void Shell::print(std::string_view result) const {
  if (!out.write(result)) throw Error(Status::from_errno(errno, "can't write the result to stdout"));
}

void Shell::note(std::string_view text) const {
  err.write(fmt::format("{} {}\n", err.paint("gpuio: note:", Style::yellow), text));
}

CLI::Option* add_choice(CLI::App& app, const std::string& name, std::string& value, std::vector<std::string> choices,
                        const std::string& description) {
  const std::string joined = fmt::format("{}", fmt::join(choices, "|"));
  const auto check = [choices = std::move(choices)](const std::string& word) -> std::string {
    if (std::ranges::find(choices, word) != choices.end()) return {};
    return fmt::format("'{}' is none of {}{}", word, fmt::join(choices, ", "), did_you_mean(word, choices));
  };
  // Unnamed, so that it leaves the type name alone.
  const CLI::Validator validator(check, "");
  return app.add_option(name, value, description)->check(validator)->type_name(joined)->capture_default_str();
}

void add_json(CLI::App& app, Command& command) {
  app.add_flag("--json", command.json, "Print the result as one JSON object (docs/cli.md has its shape)");
}

void add_no_progress(CLI::App& app, bool& progress) {
  app.add_flag_callback(
      "--no-progress", [&progress] { progress = false; },
      "Draw no progress bar; there is none without a terminal anyway");
}

void add_examples(CLI::App& app, const std::vector<std::pair<std::string, std::string>>& examples) {
  Table table({{.title = ""}, {.title = ""}});
  for (const auto& [command, comment] : examples) table.add_row({"  " + command, comment});
  app.footer("Examples:\n" + table.render(Terminal()));
}

}  // namespace gpuio::cli
