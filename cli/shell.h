// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"

// Only the files that describe command lines need all of CLI11, which is slow to compile.
namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace gpuio::cli {

/// What a command runs in. stdout carries results and nothing else; everything for people's eyes goes to stderr.
struct Shell {
  Terminal out;
  Terminal err;
  const Interrupt& interrupt;

  /// Writes a result to stdout; throws gpuio::Error if it can't be written (a full disk behind it).
  void print(std::string_view result) const;
  /// "gpuio: note: ..." on stderr.
  void note(std::string_view text) const;
};

/// The command that the command line chose. It prints its result and returns, or throws gpuio::Error.
struct Command {
  std::function<ExitCode(const Shell&)> run;
  bool json = false;  ///< Errors are printed as JSON too.
};

/// `--name CHOICE`, where CHOICE is one of `choices`; a bad one is answered with the nearest. Help and shell completion
/// read the choices from the option's type name, "auto|cached|direct".
CLI::Option* add_choice(CLI::App& app, const std::string& name, std::string& value, std::vector<std::string> choices,
                        const std::string& description);

/// `--json`, the same for every command.
void add_json(CLI::App& app, Command& command);
/// `--no-progress`, for commands that take long.
void add_no_progress(CLI::App& app, bool& progress);
/// "Examples:" at the end of a command's help, from lines of command and comment.
void add_examples(CLI::App& app, const std::vector<std::pair<std::string, std::string>>& examples);

}  // namespace gpuio::cli
