// SPDX-License-Identifier: Apache-2.0
#include "cli/app.h"

#include <gtest/gtest.h>

#include "cli/completion.h"

namespace gpuio::cli {
namespace {

/// Every long option of every command, by walking the tree.
void each_option(const CLI::App& app, const std::function<void(const CLI::App&, const std::string&)>& visit) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) visit(app, name);
  }
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) each_option(*child, visit);
}

/// Every command that does something, with its full name: those without commands of their own.
void each_command(const CLI::App& app, const std::string& name,
                  const std::function<void(const CLI::App&, const std::string&)>& visit) {
  const std::vector<const CLI::App*> children = app.get_subcommands([](const CLI::App*) { return true; });
  if (children.empty()) visit(app, name);
  for (const CLI::App* child : children) each_command(*child, name + " " + child->get_name(), visit);
}

TEST(App, EveryCommandTakesJsonButTheOneThatPrintsScripts) {
  Command command;
  each_command(*make_app(command), "gpuio", [](const CLI::App& app, const std::string& name) {
    EXPECT_EQ(app.get_option_no_throw("--json") == nullptr, name == "gpuio completion") << name;
  });
}

TEST(App, EveryCommandTeachesByExample) {
  Command command;
  each_command(*make_app(command), "gpuio", [](const CLI::App& app, const std::string& name) {
    const std::string help = app.help();
    EXPECT_EQ(help.find("  " + name) == std::string::npos, name == "gpuio version") << help;
  });
}

TEST(App, HelpListsEveryExitCode) {
  Command command;
  const std::string help = make_app(command)->help();
  for (const ExitCodeText& code : kExitCodes) EXPECT_NE(help.find(code.text), std::string::npos) << code.text;
}

TEST(App, ParsesWithoutRunning) {
  Command command;
  const auto app = make_app(command);
  EXPECT_NO_THROW(app->parse("load a b --device host --repeat 3 --memory 1GiB --no-verify --json"));
  EXPECT_TRUE(command.json);
  EXPECT_TRUE(command.run);
}

TEST(App, ABadChoiceNamesTheNearest) {
  Command command;
  const auto app = make_app(command);
  try {
    app->parse("load a --cache dirct");
    FAIL();
  } catch (const CLI::ParseError& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'direct'?"), std::string::npos) << error.what();
  }
}

TEST(Completion, EveryOptionIsInEveryShellsScript) {
  Command command;
  const auto app = make_app(command);
  const std::string bash = bash_completion(*app);
  const std::string zsh = zsh_completion(*app);
  const std::string fish = fish_completion(*app);
  each_option(*app, [&](const CLI::App& owner, const std::string& name) {
    EXPECT_NE(bash.find("--" + name), std::string::npos) << owner.get_name() << " " << name;
    EXPECT_NE(zsh.find("'--" + name + "["), std::string::npos) << owner.get_name() << " " << name;
    EXPECT_NE(fish.find(" -l " + name), std::string::npos) << owner.get_name() << " " << name;
  });
}

TEST(Completion, ChoicesOfAnOptionAreOffered) {
  Command command;
  const auto app = make_app(command);
  EXPECT_NE(bash_completion(*app).find("'gpuio load --cache') COMPREPLY=($(compgen -W 'auto cached direct'"),
            std::string::npos);
  EXPECT_NE(zsh_completion(*app).find(":(auto cached direct)"), std::string::npos);
  EXPECT_NE(fish_completion(*app).find("-a 'auto cached direct'"), std::string::npos);
}

}  // namespace
}  // namespace gpuio::cli
