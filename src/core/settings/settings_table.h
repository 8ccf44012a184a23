// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/settings/settings_values.h"
#include "gpuio/result.hpp"

namespace gpuio::core {

/// What values of a setting are allowed. Which members count follows from its type.
struct SettingLimits {
  std::int64_t least = std::numeric_limits<std::int64_t>::min();
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
  std::vector<std::string_view> choices = {};
  Status (*check)(std::string_view text) = nullptr;
};

enum class SettingReload : std::uint8_t { fixed, live };

using SettingMember = std::variant<std::uint64_t SettingsValues::*, std::int64_t SettingsValues::*,
                                   bool SettingsValues::*, std::string SettingsValues::*>;

/// GPUIO_SETTINGS as data.
struct SettingRow {
  std::string_view key;
  SettingType type;
  SettingMember member;
  SettingLimits limits;
  SettingReload reload;
  std::string_view description;
};

/// In the order of the table.
[[nodiscard]] std::span<const SettingRow> setting_rows();

/// The row's place in setting_rows. Fails with `invalid_argument`; names the nearest key.
[[nodiscard]] Result<std::size_t> find_setting(std::string_view key);

/// "GPUIO_LOCAL_DIRECT" for "local.direct".
[[nodiscard]] std::string setting_variable(std::string_view key);

/// "size", "duration", "integer", "boolean", "choice" or "text".
[[nodiscard]] std::string_view setting_type_name(SettingType type) noexcept;

/// "expected a size, got a boolean key=memory.slab_bytes".
[[nodiscard]] Status wrong_type(const SettingRow& row, std::string_view given);

/// "1 to 32768", "auto, uring, threads", or nothing where anything goes.
[[nodiscard]] std::string setting_allowed(const SettingRow& row);

/// Sets the row's member from text, or from what a file has as a number or a boolean. Fails with `invalid_argument` or
/// `out_of_range`, names the key, and then `values` is unchanged.
[[nodiscard]] Status parse_setting(const SettingRow& row, std::string_view text, SettingsValues& values);
[[nodiscard]] Status assign_setting(const SettingRow& row, std::int64_t number, SettingsValues& values);
[[nodiscard]] Status assign_setting(const SettingRow& row, bool value, SettingsValues& values);

/// The row's member as text that parse_setting takes back.
[[nodiscard]] std::string format_setting(const SettingRow& row, const SettingsValues& values);

/// "; did you mean 'x'?", or nothing.
[[nodiscard]] std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace gpuio::core
