// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/text.h"
#include "core/settings/settings_state.h"
#include "core/settings/settings_table.h"

namespace gpuio::core {
namespace {

constexpr std::string_view kPrefix = "GPUIO_";

Status unknown_variable(std::string_view name, std::string_view near) {
  std::string message = "no setting has this environment variable";
  if (!near.empty()) message.append("; did you mean ").append(near).append("?");
  return Status(Code::invalid_argument, std::move(message)).with("variable", name);
}

/// Other tools may have variables of their own below our prefix. A setting is meant where the name starts with a
/// section's, or nearly is a setting's.
Status check_unknown(std::string_view name, const std::vector<std::string>& known) {
  std::vector<std::string_view> tails;
  tails.reserve(known.size());
  for (const std::string& variable : known) tails.push_back(std::string_view(variable).substr(kPrefix.size()));
  const std::string_view tail = name.substr(kPrefix.size());
  const std::string_view near = base::nearest(tail, tails);
  const bool in_section = std::ranges::any_of(
      tails, [tail](std::string_view other) { return tail.starts_with(other.substr(0, other.find('_') + 1)); });
  if (near.empty() && !in_section) return {};
  return unknown_variable(name, near.empty() ? "" : std::string(kPrefix).append(near));
}

}  // namespace

Status apply_environment(const char* const* variables, SettingsState& state) {
  const std::span<const SettingRow> rows = setting_rows();
  std::vector<std::string> known;
  known.reserve(rows.size());
  for (const SettingRow& row : rows) known.push_back(setting_variable(row.key));
  for (; variables != nullptr && *variables != nullptr; ++variables) {
    const std::string_view variable = *variables;
    if (!variable.starts_with(kPrefix)) continue;
    const std::string_view name = variable.substr(0, variable.find('='));
    if (name.size() == variable.size() || name == "GPUIO_CONFIG") continue;
    const auto found = static_cast<std::size_t>(std::ranges::find(known, name) - known.begin());
    Status status =
        found == known.size()
            ? check_unknown(name, known)
            : parse_setting(rows[found], variable.substr(name.size() + 1), state.values).with("variable", name);
    if (!status.ok()) return status;
    if (found != known.size()) state.origins[found] = std::string("environment ").append(name);
  }
  return {};
}

}  // namespace gpuio::core
