// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"
#include "core/settings/settings_state.h"
#include "core/settings/settings_table.h"
#include "core/settings/toml.h"

namespace gpuio::core {
namespace {

Status located(Status status, std::string_view path, const toml::source_position& position) {
  return std::move(status).with("file", path).with("line", static_cast<std::uint64_t>(position.line));
}

std::string_view name_of(const toml::node& node) noexcept {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a fraction";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

/// Strings are parsed only where TOML has no type of its own for the setting: an integer in quotes is a mistake.
bool is_written_as_string(SettingType type) noexcept {
  return type != SettingType::count && type != SettingType::integer && type != SettingType::boolean;
}

Status assign_node(const SettingRow& row, const toml::node& node, SettingsValues& values) {
  if (const auto* number = node.as_integer()) return assign_setting(row, number->get(), values);
  if (const auto* boolean = node.as_boolean()) return assign_setting(row, boolean->get(), values);
  if (const auto* text = node.as_string(); text != nullptr && is_written_as_string(row.type)) {
    return parse_setting(row, text->get(), values);
  }
  return wrong_type(row, name_of(node));
}

std::vector<std::string_view> sections() {
  std::vector<std::string_view> names;
  for (const SettingRow& row : setting_rows()) {
    const std::string_view section = row.key.substr(0, row.key.find('.'));
    if (names.empty() || names.back() != section) names.push_back(section);
  }
  return names;
}

Status apply_section(std::string_view section, const toml::table& table, std::string_view path, SettingsState& state) {
  for (const auto& [name, node] : table) {
    const std::string key = fmt::format("{}.{}", section, name.str());
    Result<std::size_t> index = find_setting(key);
    if (!index) return located(std::move(index).error(), path, name.source().begin);
    Status assigned = assign_node(setting_rows()[*index], node, state.values);
    if (!assigned.ok()) return located(std::move(assigned), path, node.source().begin);
    state.origins[*index] = fmt::format("{}:{}", path, name.source().begin.line);
  }
  return {};
}

Status unknown_section(const toml::key& name, std::string_view path) {
  const std::vector<std::string_view> known = sections();
  Status status(Code::invalid_argument,
                fmt::format("unknown section '{}'{}", name.str(), did_you_mean(name.str(), known)));
  return located(std::move(status), path, name.source().begin);
}

}  // namespace

Status apply_toml(std::string_view toml, std::string_view path, SettingsState& state) {
  const toml::parse_result parsed = toml::parse(toml);
  if (!parsed) {
    Status status(Code::invalid_argument, fmt::format("not TOML: {}", parsed.error().description()));
    return located(std::move(status), path, parsed.error().source().begin);
  }
  const std::vector<std::string_view> known = sections();
  for (const auto& [name, node] : parsed.table()) {
    if (std::ranges::find(known, name.str()) == known.end()) return unknown_section(name, path);
    const toml::table* table = node.as_table();
    if (table == nullptr) {
      Status status(Code::invalid_argument, fmt::format("'{}' is a section, not {}", name.str(), name_of(node)));
      return located(std::move(status), path, name.source().begin);
    }
    GPUIO_TRY(apply_section(name.str(), *table, path, state));
  }
  return {};
}

}  // namespace gpuio::core
