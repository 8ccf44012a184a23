// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/settings/settings_values.h"
#include "gpuio/result.hpp"

namespace gpuio::core {

/// What a Settings holds.
struct SettingsState {
  SettingsState();

  SettingsValues values;
  std::vector<std::string> origins;  ///< One a row of setting_rows.
};

/// Applies a TOML text; `path` names it in origins and errors, which have the line too. On failure `state` is half
/// changed.
[[nodiscard]] Status apply_toml(std::string_view toml, std::string_view path, SettingsState& state);

/// Applies the environment: every variable GPUIO_<SECTION>_<NAME>; one that looks like a misspelled setting is an
/// error. `variables` is like environ: "NAME=value" strings, then null.
[[nodiscard]] Status apply_environment(const char* const* variables, SettingsState& state);

}  // namespace gpuio::core
