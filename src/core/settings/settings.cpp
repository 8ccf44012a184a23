// SPDX-License-Identifier: Apache-2.0
#include "gpuio/settings.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/try.h"
#include "base/unique_fd.h"
#include "core/settings/settings_state.h"
#include "core/settings/settings_table.h"

namespace gpuio {
namespace core {

SettingsState::SettingsState() : origins(setting_rows().size(), "default") {}

namespace {

constexpr std::size_t kFileBytesMax = 1 << 20;

struct ConfigurationFile {
  std::string path;
  bool required = false;
};

std::vector<ConfigurationFile> configuration_files(const SettingsOptions& options) {
  if (!options.file.empty()) return {{options.file, true}};
  const char* named = std::getenv("GPUIO_CONFIG");
  if (named != nullptr && *named == '\0') return {};
  if (named != nullptr) return {{named, true}};
  std::vector<ConfigurationFile> files;
  const char* config_home = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  if (config_home != nullptr && *config_home != '\0') {
    files.push_back({std::string(config_home) + "/gpuio/config.toml"});
  } else if (home != nullptr && *home != '\0') {
    files.push_back({std::string(home) + "/.config/gpuio/config.toml"});
  }
  files.push_back({"/etc/gpuio/config.toml"});
  return files;
}

Result<std::string> read_file(const std::string& path) {
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Status::from_errno(errno, "can't open the settings file").with("file", path);
  std::string text(kFileBytesMax + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Status::from_errno(errno, "can't read the settings file").with("file", path);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kFileBytesMax) {
    return Status(Code::invalid_argument, "a settings file has at most 1 MiB").with("file", path);
  }
  text.resize(size);
  return text;
}

Status apply_files(const SettingsOptions& options, SettingsState& state) {
  for (const ConfigurationFile& file : configuration_files(options)) {
    Result<std::string> text = read_file(file.path);
    if (!text && text.error().code() == Code::not_found && !file.required) continue;
    if (!text) return std::move(text).error();
    return apply_toml(*text, file.path, state);
  }
  return {};
}

}  // namespace
}  // namespace core

Settings::Settings() {
  static const auto defaults = std::make_shared<const core::SettingsState>();
  state_ = defaults;
}

Result<Settings> Settings::load(const SettingsOptions& options) {
  auto state = std::make_shared<core::SettingsState>();
  if (options.use_file) GPUIO_TRY(core::apply_files(options, *state));
  if (options.use_environment) GPUIO_TRY(core::apply_environment(::environ, *state));
  return Settings(std::move(state));
}

Status Settings::set(std::string_view key, std::string_view text) {
  GPUIO_ASSIGN(const std::size_t index, core::find_setting(key));
  auto changed = std::make_shared<core::SettingsState>(*state_);
  GPUIO_TRY(core::parse_setting(core::setting_rows()[index], text, changed->values));
  changed->origins[index] = "api";
  state_ = std::move(changed);
  return {};
}

Status Settings::reload(std::string_view key, std::string_view text) {
  GPUIO_ASSIGN(const std::size_t index, core::find_setting(key));
  if (core::setting_rows()[index].reload == core::SettingReload::fixed) {
    return Status(Code::unsupported, "this setting is read when a context is made and can't change later")
        .with("key", key);
  }
  return set(key, text);
}

Result<std::string> Settings::text(std::string_view key) const {
  GPUIO_ASSIGN(const std::size_t index, core::find_setting(key));
  return core::format_setting(core::setting_rows()[index], state_->values);
}

Result<std::string> Settings::origin(std::string_view key) const {
  GPUIO_ASSIGN(const std::size_t index, core::find_setting(key));
  return state_->origins[index];
}

std::vector<std::string> Settings::keys() {
  std::vector<std::string> keys;
  for (const core::SettingRow& row : core::setting_rows()) keys.emplace_back(row.key);
  return keys;
}

Result<SettingInfo> Settings::describe(std::string_view key) {
  GPUIO_ASSIGN(const std::size_t index, core::find_setting(key));
  const core::SettingRow& row = core::setting_rows()[index];
  SettingInfo info;
  info.key = row.key;
  info.variable = core::setting_variable(row.key);
  info.type = core::setting_type_name(row.type);
  info.default_value = core::format_setting(row, {});
  info.allowed = core::setting_allowed(row);
  info.reloadable = row.reload == core::SettingReload::live;
  info.description = row.description;
  return info;
}

const core::SettingsValues& Settings::values() const noexcept { return state_->values; }

}  // namespace gpuio
