// SPDX-License-Identifier: Apache-2.0
// Any text as a settings file: an error that names the line, or settings that can be printed and read back.
#include <cstdlib>
#include <string_view>

#include "core/settings/settings_state.h"
#include "core/settings/settings_table.h"

namespace {

using namespace gpuio;

void check(bool holds) {
  if (!holds) std::abort();
}

void check_round_trip(const core::SettingsValues& values) {
  core::SettingsValues again;
  for (const core::SettingRow& row : core::setting_rows()) {
    const std::string text = core::format_setting(row, values);
    check(core::parse_setting(row, text, again).ok());
    check(core::format_setting(row, again) == text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view toml(reinterpret_cast<const char*>(data), size);
  core::SettingsState state;
  const Status status = core::apply_toml(toml, "input", state);
  if (status.ok()) {
    check_round_trip(state.values);
  } else {
    check(status.message().find(" file=input line=") != std::string_view::npos);
  }
  return 0;
}
