// SPDX-License-Identifier: Apache-2.0
#include "core/settings/settings_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <type_traits>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "base/try.h"

namespace gpuio::core {
namespace {

SettingLimits anything() { return {}; }

SettingLimits between(std::int64_t least, std::int64_t most) { return {.least = least, .most = most}; }

template <class... Names>
SettingLimits one_of(Names... names) {
  return {.choices = {names...}};
}

SettingLimits accepted_by(Status (*check)(std::string_view)) { return {.check = check}; }

std::vector<SettingRow> make_rows() {
  std::vector<SettingRow> rows;
#define GPUIO_SETTING_ROW(type, section, name, default_value, limits, when, description)            \
  rows.push_back({#section "." #name, SettingType::type, &SettingsValues::section##_##name, limits, \
                  SettingReload::when, description});
  GPUIO_SETTINGS(GPUIO_SETTING_ROW)
#undef GPUIO_SETTING_ROW
  return rows;
}

std::string format_number(SettingType type, std::int64_t number) {
  if (type == SettingType::size) return base::format_size(static_cast<std::uint64_t>(number));
  if (type == SettingType::duration) return base::format_duration(static_cast<std::uint64_t>(number));
  return fmt::format("{}", number);
}

/// The least that a row allows: numbers that are held unsigned have none below 0.
std::int64_t least_of(const SettingRow& row) noexcept {
  return row.type == SettingType::integer ? row.limits.least : std::max<std::int64_t>(0, row.limits.least);
}

Status unexpected(Code code, std::string_view expected, std::string_view given) {
  return Status(code, fmt::format("expected {}, got {}", expected, given));
}

std::string_view article_and_name(SettingType type) noexcept {
  switch (type) {
    case SettingType::size:
      return "a size";
    case SettingType::duration:
      return "a duration";
    case SettingType::count:
    case SettingType::integer:
      return "an integer";
    case SettingType::boolean:
      return "a boolean";
    case SettingType::choice:
      return "a choice";
    case SettingType::text:
      return "a text";
  }
  return "?";
}

Status assign(const SettingRow& row, std::int64_t number, SettingsValues& values) {
  const auto* const unsigned_member = std::get_if<std::uint64_t SettingsValues::*>(&row.member);
  const auto* const signed_member = std::get_if<std::int64_t SettingsValues::*>(&row.member);
  if (unsigned_member == nullptr && signed_member == nullptr) {
    return unexpected(Code::invalid_argument, article_and_name(row.type), "an integer");
  }
  if (number < least_of(row) || number > row.limits.most) {
    const std::string allowed = setting_allowed(row);
    return unexpected(Code::out_of_range, allowed.empty() ? "0 or more" : allowed,
                      number < 0 ? fmt::format("{}", number) : format_number(row.type, number));
  }
  if (unsigned_member != nullptr) {
    values.*(*unsigned_member) = static_cast<std::uint64_t>(number);
  } else {
    values.*(*signed_member) = number;
  }
  return {};
}

Result<std::uint64_t> parse_integer(std::string_view digits) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error == std::errc::result_out_of_range)
    return Status(Code::out_of_range, fmt::format("'{}' is too large", digits));
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return unexpected(Code::invalid_argument, "an integer", fmt::format("'{}'", digits));
  }
  return number;
}

Status parse_number(const SettingRow& row, std::string_view text, SettingsValues& values) {
  std::string_view digits = base::trim(text);
  const bool negative = digits.starts_with('-') && row.type == SettingType::integer;
  if (negative) digits.remove_prefix(1);
  const auto parse = row.type == SettingType::size       ? base::parse_size
                     : row.type == SettingType::duration ? base::parse_duration
                                                         : parse_integer;
  GPUIO_ASSIGN(const std::uint64_t magnitude, parse(digits));
  // Nothing here has a use for more, and file and limits hold signed numbers.
  if (magnitude > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return Status(Code::out_of_range, fmt::format("'{}' is too large", text));
  }
  const auto number = static_cast<std::int64_t>(magnitude);
  return assign(row, negative ? -number : number, values);
}

Status parse_boolean(const SettingRow& row, std::string_view text, SettingsValues& values) {
  const std::string_view word = base::trim(text);
  const bool yes = word == "true" || word == "1";
  if (!yes && word != "false" && word != "0") {
    return unexpected(Code::invalid_argument, "true or false", fmt::format("'{}'", text));
  }
  values.*std::get<bool SettingsValues::*>(row.member) = yes;
  return {};
}

Status parse_text(const SettingRow& row, std::string_view text, SettingsValues& values) {
  const std::vector<std::string_view>& choices = row.limits.choices;
  if (!choices.empty() && std::ranges::find(choices, text) == choices.end()) {
    return unexpected(Code::invalid_argument, "one of " + setting_allowed(row),
                      fmt::format("'{}'{}", text, did_you_mean(text, choices)));
  }
  if (row.limits.check != nullptr) GPUIO_TRY(row.limits.check(text));
  values.*std::get<std::string SettingsValues::*>(row.member) = text;
  return {};
}

}  // namespace

std::span<const SettingRow> setting_rows() {
  static const std::vector<SettingRow> rows = make_rows();
  return rows;
}

Result<std::size_t> find_setting(std::string_view key) {
  const std::span<const SettingRow> rows = setting_rows();
  const auto found = std::ranges::find(rows, key, &SettingRow::key);
  if (found != rows.end()) return static_cast<std::size_t>(found - rows.begin());
  std::vector<std::string_view> keys;
  keys.reserve(rows.size());
  for (const SettingRow& row : rows) keys.push_back(row.key);
  return Status(Code::invalid_argument, fmt::format("unknown setting '{}'{}", key, did_you_mean(key, keys)));
}

std::string setting_variable(std::string_view key) {
  std::string name = "GPUIO_";
  for (const char c : key) {
    const bool lower = c >= 'a' && c <= 'z';
    name += c == '.' ? '_' : lower ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return name;
}

std::string_view setting_type_name(SettingType type) noexcept {
  const std::string_view name = article_and_name(type);
  return name.substr(name.find(' ') + 1);
}

Status wrong_type(const SettingRow& row, std::string_view given) {
  return unexpected(Code::invalid_argument, article_and_name(row.type), given).with("key", row.key);
}

std::string setting_allowed(const SettingRow& row) {
  if (row.type == SettingType::boolean) return "true, false";
  if (!row.limits.choices.empty()) return fmt::format("{}", fmt::join(row.limits.choices, ", "));
  const bool bounded = row.limits.most != SettingLimits().most;
  if (!bounded) return "";
  return fmt::format("{} to {}", format_number(row.type, least_of(row)), format_number(row.type, row.limits.most));
}

Status parse_setting(const SettingRow& row, std::string_view text, SettingsValues& values) {
  const auto parse = row.type == SettingType::boolean                                   ? parse_boolean
                     : row.type == SettingType::choice || row.type == SettingType::text ? parse_text
                                                                                        : parse_number;
  return parse(row, text, values).with("key", row.key);
}

Status assign_setting(const SettingRow& row, std::int64_t number, SettingsValues& values) {
  return assign(row, number, values).with("key", row.key);
}

Status assign_setting(const SettingRow& row, bool value, SettingsValues& values) {
  const auto* const member = std::get_if<bool SettingsValues::*>(&row.member);
  if (member == nullptr) return wrong_type(row, "a boolean");
  values.*(*member) = value;
  return {};
}

std::string format_setting(const SettingRow& row, const SettingsValues& values) {
  const auto format = [&row](const auto& value) -> std::string {
    using Value = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, std::string>) {
      return value;
    } else if constexpr (std::is_same_v<Value, bool>) {
      return value ? "true" : "false";
    } else {
      return format_number(row.type, static_cast<std::int64_t>(value));
    }
  };
  return std::visit([&](auto member) { return format(values.*member); }, row.member);
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
  const std::string_view near = base::nearest(word, candidates);
  return near.empty() ? "" : fmt::format("; did you mean '{}'?", near);
}

}  // namespace gpuio::core
