// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "cli/commands.h"

namespace gpuio::cli {
namespace {

struct OptionInfo {
  std::vector<std::string> words;  ///< "--device", "-d"; empty for a positional argument.
  std::string description;
  bool takes_value = false;
  bool repeats = false;
  bool files = false;
  std::vector<std::string> choices;
};

struct CommandInfo {
  std::vector<std::string> path;  ///< "gpuio", "config", "show"
  std::string description;
  std::vector<OptionInfo> options;
  std::vector<CommandInfo> children;
};

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

OptionInfo describe(const CLI::Option& option) {
  static constexpr std::array<std::string_view, 5> kFileTypes{"PATH", "FILE", "URI", "SRC", "DST"};
  OptionInfo info;
  for (const std::string& name : option.get_lnames()) info.words.push_back("--" + name);
  for (const std::string& name : option.get_snames()) info.words.push_back("-" + name);
  info.description = option.get_description();
  info.takes_value = option.get_items_expected_max() > 0;
  info.repeats = option.get_items_expected_max() > 1;
  const std::string type = option.get_type_name();
  const std::string takes = type.empty() ? option.get_single_name() : type;
  info.files = std::ranges::find(kFileTypes, takes) != kFileTypes.end();
  if (info.takes_value && type.find('|') != std::string::npos) info.choices = split(type, '|');
  return info;
}

CommandInfo describe(const CLI::App& app, std::vector<std::string> path) {
  CommandInfo info{.path = std::move(path), .description = app.get_description(), .options = {}, .children = {}};
  for (const CLI::Option* option : app.get_options()) info.options.push_back(describe(*option));
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    std::vector<std::string> child_path = info.path;
    child_path.push_back(child->get_name());
    info.children.push_back(describe(*child, std::move(child_path)));
  }
  return info;
}

CommandInfo describe_root(const CLI::App& root) { return describe(root, {"gpuio"}); }

template <class Visit>
void each_command(const CommandInfo& command, const Visit& visit) {
  visit(command);
  for (const CommandInfo& child : command.children) each_command(child, visit);
}

std::string joined_path(const CommandInfo& command, std::string_view separator) {
  return fmt::format("{}", fmt::join(command.path, separator));
}

/// In single quotes, as all three shells read them.
std::string single_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// zsh's _arguments reads [, ] and : as its own.
std::string zsh_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_action(const OptionInfo& option) {
  std::vector<std::string> choices;
  choices.reserve(option.choices.size());
  for (const std::string& choice : option.choices) choices.push_back(zsh_escaped(choice));
  if (!choices.empty()) return fmt::format(":({})", fmt::join(choices, " "));
  return option.files ? ":_files" : ":";
}

std::string zsh_function(const CommandInfo& command) {
  std::string text = fmt::format("_{}() {{\n", joined_path(command, "_"));
  text += command.children.empty() ? "  _arguments -s" : "  local state line\n  _arguments -C";
  for (const OptionInfo& option : command.options) {
    if (option.words.empty()) {
      text +=
          fmt::format(" \\\n    {}", single_quoted(fmt::format("{}:{}{}", option.repeats ? "*" : "",
                                                               zsh_escaped(option.description), zsh_action(option))));
    }
    for (const std::string& word : option.words) {
      const std::string value = option.takes_value ? ":value" + zsh_action(option) : "";
      text += fmt::format(" \\\n    {}",
                          single_quoted(fmt::format("{}[{}]{}", word, zsh_escaped(option.description), value)));
    }
  }
  if (command.children.empty()) return text + "\n}\n";
  text +=
      " \\\n    '1:command:->command' '*::argument:->argument'\n  case $state in\n  command)\n    local -a "
      "commands=(\n";
  for (const CommandInfo& child : command.children) {
    text += fmt::format("      {}\n", single_quoted(child.path.back() + ":" + zsh_escaped(child.description)));
  }
  text += "    )\n    _describe command commands ;;\n  argument)\n    case $line[1] in\n";
  for (const CommandInfo& child : command.children) {
    text += fmt::format("    {}) _{} ;;\n", child.path.back(), joined_path(child, "_"));
  }
  return text + "    esac ;;\n  esac\n}\n";
}

/// fish: when lines of `command` apply.
std::string fish_condition(const CommandInfo& command) {
  std::vector<std::string> terms;
  for (std::size_t i = 1; i < command.path.size(); ++i) {
    terms.push_back("__fish_seen_subcommand_from " + command.path[i]);
  }
  if (command.path.size() == 1) return "__fish_use_subcommand";
  for (const CommandInfo& child : command.children) {
    terms.push_back("not __fish_seen_subcommand_from " + child.path.back());
  }
  return fmt::format("{}", fmt::join(terms, "; and "));
}

}  // namespace

std::string bash_completion(const CLI::App& root) {
  std::string paths;
  std::string values;
  std::string words;
  each_command(describe_root(root), [&](const CommandInfo& command) {
    const std::string path = joined_path(command, " ");
    if (command.path.size() > 1) paths += fmt::format("    '{}') path+=\" $word\" ;;\n", path);
    std::vector<std::string> all;
    all.reserve(command.children.size());
    for (const CommandInfo& child : command.children) all.push_back(child.path.back());
    for (const OptionInfo& option : command.options) {
      all.insert(all.end(), option.words.begin(), option.words.end());
      if (option.words.empty()) all.insert(all.end(), option.choices.begin(), option.choices.end());
      if (!option.takes_value) continue;
      for (const std::string& word : option.words) {
        const std::string reply =
            option.choices.empty()
                ? ""
                : fmt::format(" COMPREPLY=($(compgen -W '{}' -- \"$current\"));", fmt::join(option.choices, " "));
        values += fmt::format("  '{} {}'){} return ;;\n", path, word, reply);
      }
    }
    words += fmt::format("  '{}') words='{}' ;;\n", path, fmt::join(all, " "));
  });
  // No reply at all means file names, by `-o default`.
  return fmt::format(
      "# bash completion for gpuio; load it with: source <(gpuio completion bash)\n"
      "_gpuio() {{\n"
      "  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} path=gpuio words='' word\n"
      "  for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n    case \"$path $word\" in\n{}    esac\n  done\n"
      "  COMPREPLY=()\n"
      "  case \"$path $previous\" in\n{}  esac\n"
      "  case \"$path\" in\n{}  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "}}\n"
      "complete -o default -F _gpuio gpuio\n",
      paths, values, words);
}

std::string zsh_completion(const CLI::App& root) {
  std::string text = "#compdef gpuio\n# zsh completion for gpuio; load it with: source <(gpuio completion zsh)\n";
  each_command(describe_root(root), [&](const CommandInfo& command) { text += zsh_function(command); });
  return text + "compdef _gpuio gpuio\n";
}

std::string fish_completion(const CLI::App& root) {
  std::string text = "# fish completion for gpuio; load it with: gpuio completion fish | source\n";
  each_command(describe_root(root), [&](const CommandInfo& command) {
    const std::string condition = single_quoted(fish_condition(command));
    for (const CommandInfo& child : command.children) {
      text += fmt::format("complete -c gpuio -n {} -f -a {} -d {}\n", condition, child.path.back(),
                          single_quoted(child.description));
    }
    for (const OptionInfo& option : command.options) {
      std::string line = fmt::format("complete -c gpuio -n {}", condition);
      for (const std::string& word : option.words) {
        line += word.starts_with("--") ? " -l " + word.substr(2) : " -s " + word.substr(1);
      }
      if (option.takes_value && !option.words.empty()) line += option.files ? " -r" : " -x";
      if (!option.choices.empty()) line += fmt::format(" -f -a '{}'", fmt::join(option.choices, " "));
      // A positional without choices is a file, which fish completes by itself.
      if (!option.words.empty() || !option.choices.empty())
        text += line + " -d " + single_quoted(option.description) + "\n";
    }
  });
  return text;
}

void add_completion(CLI::App& root, Command& chosen) {
  const auto kind = std::make_shared<std::string>();
  CLI::App* app = root.add_subcommand("completion", "Print a shell's completion script");
  add_choice(*app, "SHELL", *kind, {"bash", "zsh", "fish"}, "The shell")->required();
  add_examples(*app, {{"source <(gpuio completion bash)", "for this shell"},
                      {"gpuio completion fish > ~/.config/fish/completions/gpuio.fish", "for good"}});
  app->callback([kind, &root, &chosen] {
    chosen.run = [kind, &root](const Shell& shell) {
      const auto generate = *kind == "bash" ? &bash_completion : *kind == "zsh" ? &zsh_completion : &fish_completion;
      shell.print(generate(root));
      return ExitCode::ok;
    };
  });
}

}  // namespace gpuio::cli
