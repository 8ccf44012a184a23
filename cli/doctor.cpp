// SPDX-License-Identifier: Apache-2.0
// `gpuio doctor`: what this machine can and can't do, with the reason and the fix.

#include <algorithm>
#include <memory>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/context_flags.h"
#include "cli/json.h"
#include "cli/table.h"
#include "gpuio/context.hpp"

namespace gpuio::cli {
namespace {

struct Mark {
  std::string_view word;
  Style style;
};

Mark mark_of(Finding::Level level) {
  switch (level) {
    case Finding::Level::ok:
      return {"ok", Style::green};
    case Finding::Level::note:
      return {"note", Style::cyan};
    case Finding::Level::warning:
      return {"warning", Style::yellow};
    case Finding::Level::problem:
      return {"problem", Style::red};
  }
  return {"", Style::plain};
}

std::size_t count(const std::vector<Finding>& findings, Finding::Level level) {
  return static_cast<std::size_t>(std::ranges::count(findings, level, &Finding::level));
}

void print_text(const Shell& shell, const std::vector<Finding>& findings) {
  Table table({{.title = ""}, {.title = ""}, {.title = ""}});
  for (const Finding& finding : findings) {
    const Mark mark = mark_of(finding.level);
    table.add_row({shell.out.paint(mark.word, mark.style), finding.subject, finding.text});
    if (!finding.fix.empty()) table.add_row({"", "", shell.out.paint("fix: " + finding.fix, Style::dim)});
  }
  shell.print(fmt::format("{}\n{} ok, {} notes, {} warnings, {} problems\n", table.render(shell.out),
                          count(findings, Finding::Level::ok), count(findings, Finding::Level::note),
                          count(findings, Finding::Level::warning), count(findings, Finding::Level::problem)));
}

Json json_of(const std::vector<Finding>& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"level", mark_of(finding.level).word},
                    {"subject", finding.subject},
                    {"text", finding.text},
                    {"fix", finding.fix.empty() ? Json() : Json(finding.fix)}});
  }
  return {{"schema", "gpuio.doctor/1"}, {"problems", count(findings, Finding::Level::problem)}, {"findings", list}};
}

ExitCode doctor(const Shell& shell, const ContextFlags& flags, bool json) {
  const std::vector<Finding> findings = flags.open().diagnose();
  if (json) {
    print_json(shell, json_of(findings));
  } else {
    print_text(shell, findings);
  }
  return count(findings, Finding::Level::problem) > 0 ? ExitCode::failure : ExitCode::ok;
}

}  // namespace

void add_doctor(CLI::App& root, Command& chosen) {
  const auto flags = std::make_shared<ContextFlags>();
  CLI::App* app =
      root.add_subcommand("doctor", "Say what this machine can and can't do, why, and what would change it");
  add_context_flags(*app, *flags);
  add_json(*app, chosen);
  add_examples(*app, {{"gpuio doctor", "exit code 1 if something is a problem"},
                      {"gpuio doctor --json | jq '.findings[] | select(.level == \"problem\")'", "for scripts"}});
  app->callback([flags, &chosen] {
    chosen.run = [flags, &chosen](const Shell& shell) { return doctor(shell, *flags, chosen.json); };
  });
}

}  // namespace gpuio::cli
