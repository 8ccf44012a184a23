// SPDX-License-Identifier: Apache-2.0
#include "cli/app.h"

#include <csignal>
#include <exception>
#include <sstream>

#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/nearest.h"
#include "cli/table.h"
#include "gpuio/status.hpp"

namespace gpuio::cli {
namespace {

std::string root_footer() {
  Table examples({{.title = ""}, {.title = ""}});
  examples.add_row({"  gpuio load model.safetensors", "stream a model into the GPU, verified"});
  examples.add_row({"  gpuio doctor", "what this machine can do, and what stands in the way"});
  examples.add_row({"  gpuio load --help", "every command explains itself"});
  Table codes({{.title = "", .align = Table::Align::right}, {.title = ""}});
  for (const ExitCodeText& code : kExitCodes) {
    codes.add_row({fmt::format("{:5}", static_cast<int>(code.code)), std::string(code.text)});
  }
  return fmt::format(
      "Examples:\n{}\nExit codes:\n{}\n"
      "Colour and progress bars appear on terminals only; NO_COLOR turns colour off.",
      examples.render(Terminal()), codes.render(Terminal()));
}

/// The deepest command that the command line named before it went wrong.
const CLI::App& deepest(const CLI::App& app) {
  const std::vector<CLI::App*> parsed = app.get_subcommands();
  return parsed.empty() ? app : deepest(*parsed.back());
}

std::string full_name(const CLI::App& app) {
  return app.get_parent() == nullptr ? "gpuio" : full_name(*app.get_parent()) + " " + app.get_name();
}

std::vector<std::string> option_words(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
  }
  return words;
}

std::vector<std::string> command_words(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; }))
    words.push_back(child->get_name());
  return words;
}

/// What is wrong with a command line: the first word that nothing takes, with the nearest that something does, or what
/// the parser says.
std::string explain(const CLI::App& root, const CLI::ParseError& error) {
  const CLI::App& app = deepest(root);
  const std::vector<std::string> unknown = root.remaining(true);
  if (unknown.empty()) return command_words(app).empty() ? error.what() : "no command given";
  const std::string word = unknown.front().substr(0, unknown.front().find('='));
  if (word.starts_with('-')) return fmt::format("unknown option '{}'{}", word, did_you_mean(word, option_words(app)));
  const std::vector<std::string> commands = command_words(app);
  if (commands.empty()) return fmt::format("unexpected argument '{}'", word);
  return fmt::format("unknown command '{}'{}", word, did_you_mean(word, commands));
}

ExitCode usage_error(const Shell& shell, const CLI::App& app, const std::string& what) {
  shell.err.write(fmt::format("{} {}\nRun '{} --help' for usage.\n", shell.err.paint("gpuio:", Style::red), what,
                              full_name(deepest(app))));
  return ExitCode::usage;
}

ExitCode print_help(const Shell& shell, const CLI::App& root, const CLI::ParseError& request) {
  std::ostringstream text;
  std::ostringstream nothing;
  root.exit(request, text, nothing);
  shell.print(text.str());
  return ExitCode::ok;
}

ExitCode report(const Shell& shell, const Status& status, bool json) {
  const int signal = shell.interrupt.signal();
  const ExitCode code = signal == 0         ? ExitCode::failure
                        : signal == SIGTERM ? ExitCode::terminated
                                            : ExitCode::interrupted;
  const std::string text = signal == 0 ? status.to_string()
                                       : fmt::format("{}: what was under way is cancelled and its memory is free",
                                                     signal == SIGTERM ? "terminated" : "interrupted");
  shell.err.write(fmt::format("{} {}\n", shell.err.paint("gpuio:", Style::red), text));
  if (json) {
    print_json(shell, {{"schema", "gpuio.error/1"}, {"error", to_json(status)}, {"exit_code", static_cast<int>(code)}});
  }
  return code;
}

ExitCode run_command(const Shell& shell, const Command& command) {
  try {
    return command.run(shell);
  } catch (const Error& error) {
    return report(shell, error.status(), command.json);
  } catch (const std::bad_alloc&) {
    return report(shell, Status(Code::out_of_memory, "this process's memory is exhausted"), command.json);
  }
}

}  // namespace

std::unique_ptr<CLI::App> make_app(Command& chosen) {
  auto app = std::make_unique<CLI::App>("Files and memory for accelerators, at the speed of the link.", "gpuio");
  add_load(*app, chosen);
  add_copy(*app, chosen);
  add_doctor(*app, chosen);
  add_topology(*app, chosen);
  add_calibrate(*app, chosen);
  add_stat(*app, chosen);
  add_pool(*app, chosen);
  add_config(*app, chosen);
  add_completion(*app, chosen);
  add_version(*app, chosen);
  app->footer(root_footer());
  return app;
}

ExitCode run_app(int argc, const char* const* argv, const Shell& shell) {
  Command chosen;
  const std::unique_ptr<CLI::App> app = make_app(chosen);
  try {
    app->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool help = error.get_exit_code() == 0;
    return help ? print_help(shell, *app, error) : usage_error(shell, *app, explain(*app, error));
  }
  if (!chosen.run) return usage_error(shell, *app, "no command given");
  return run_command(shell, chosen);
}

}  // namespace gpuio::cli
