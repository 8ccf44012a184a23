// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gpuio/result.hpp"

namespace gpuio {

namespace core {
struct SettingsState;
struct SettingsValues;
}  // namespace core

/// Where Settings::load looks.
struct SettingsOptions {
  /// A TOML file that must exist. Empty: the one GPUIO_CONFIG names (it must exist; set to nothing, it means no file),
  /// else the first there is of $XDG_CONFIG_HOME/gpuio/config.toml (~/.config if unset) and /etc/gpuio/config.toml.
  std::string file = {};
  bool use_file = true;         ///< False: no file, whatever the environment says.
  bool use_environment = true;  ///< False: no GPUIO_... variables but GPUIO_CONFIG.
};

/// What is known of one setting. `docs/settings.md` lists all.
struct SettingInfo {
  std::string key;            ///< "local.queue_depth_max"
  std::string variable;       ///< "GPUIO_LOCAL_QUEUE_DEPTH_MAX"
  std::string type;           ///< "size", "duration", "integer", "boolean", "choice" or "text"
  std::string default_value;  ///< As Settings::set takes it.
  std::string allowed;        ///< "1 to 32768", "auto, uring, threads"; empty where anything goes.
  bool reloadable = false;    ///< Context::set may change it while running.
  std::string description;    ///< One or two sentences.
};

/// All settings and where each came from: defaults < file < environment < `set`.
///
/// Files are TOML, a table per section: `[local]` and below it `queue_depth_max = 64`. Variables are named
/// `GPUIO_LOCAL_QUEUE_DEPTH_MAX`. Sizes are written `64KiB` or `1.5GB`, durations `5ms` (both quoted in TOML; a bare
/// integer is bytes or nanoseconds), booleans `true` or `false`.
///
/// A value type; copies share until one is changed. Thread safety: as an int.
class Settings {
 public:
  /// The defaults; reads neither file nor environment.
  Settings();

  /// Reads file and environment. Fails, naming file and line or the variable, with `invalid_argument` (not TOML; an
  /// unknown key, with the nearest there is; a wrong type), `out_of_range`, or for the file itself `not_found` and
  /// `permission_denied`.
  [[nodiscard]] static Result<Settings> load(const SettingsOptions& options = {});

  /// Sets one from text: `set("local.queue_depth_max", "128")`. Fails with `invalid_argument` (unknown key, with the
  /// nearest there is; wrong type) or `out_of_range`, and then nothing has changed.
  [[nodiscard]] Status set(std::string_view key, std::string_view text);

  /// As set, for those that may change while running. Others fail with `unsupported`.
  [[nodiscard]] Status reload(std::string_view key, std::string_view text);

  /// The value as text that `set` takes back. Fails with `invalid_argument` (unknown key).
  [[nodiscard]] Result<std::string> text(std::string_view key) const;

  /// "default", "/etc/gpuio/config.toml:12", "environment GPUIO_LOCAL_DIRECT" or "api". Fails as text.
  [[nodiscard]] Result<std::string> origin(std::string_view key) const;

  /// Every key, in the order of the reference page.
  [[nodiscard]] static std::vector<std::string> keys();

  /// Fails with `invalid_argument` (unknown key).
  [[nodiscard]] static Result<SettingInfo> describe(std::string_view key);

  /// The reference page, `docs/settings.md`, in Markdown.
  [[nodiscard]] static std::string reference();

  /// The values with their types, for the library itself; valid until this object is changed or destroyed.
  [[nodiscard]] const core::SettingsValues& values() const noexcept;

 private:
  explicit Settings(std::shared_ptr<const core::SettingsState> state) noexcept : state_(std::move(state)) {}
  std::shared_ptr<const core::SettingsState> state_;
};

}  // namespace gpuio
