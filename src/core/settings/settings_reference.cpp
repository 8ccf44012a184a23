// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "gpuio/settings.hpp"

namespace gpuio {
namespace {

constexpr std::string_view kIntroduction =
    R"(<!-- Generated from src/core/settings/settings_values.h; `UPDATE_DOCS=1 core_test` writes it anew. -->
# Settings

A setting's value is the last of: its default, a file, the environment, the program (`Settings::set`). The file is the
one that `GPUIO_CONFIG` or `--config` names, else the first there is of `$XDG_CONFIG_HOME/gpuio/config.toml`
(`~/.config` if unset) and `/etc/gpuio/config.toml`. It is TOML:

```toml
[memory]
pinned_budget_bytes = "1GiB"    # sizes: KiB, MiB, GiB, TiB or KB, MB, GB, TB; a bare integer is bytes

[request]
timeout_ns = "30s"              # durations: ns, us, ms, s, min, h; a bare integer is nanoseconds
```

The variable of `local.queue_depth_max` is `GPUIO_LOCAL_QUEUE_DEPTH_MAX`. An unknown key or variable, a wrong type or a
value out of range is an error that names the file and line, or the variable, and the nearest key there is.
`gpuio config show --origin` prints every value and where it came from. Settings marked *live* may be changed while a
context runs (`Context::set`).
)";

std::string section_of(const std::string& key) { return key.substr(0, key.find('.')); }

std::string row_of(const SettingInfo& info) {
  const std::string value = info.default_value.empty() ? "(empty)" : fmt::format("`{}`", info.default_value);
  const std::string allowed = info.allowed.empty() ? "any" : info.allowed;
  return fmt::format("| `{}`{} | {} | {} | {} | {} |\n", info.key, info.reloadable ? " *live*" : "", info.type, value,
                     allowed, info.description);
}

}  // namespace

std::string Settings::reference() {
  std::string page(kIntroduction);
  std::string section;
  for (const std::string& key : keys()) {
    if (section_of(key) != section) {
      section = section_of(key);
      page +=
          fmt::format("\n## {}\n\n| key | type | default | allowed | what it does |\n|---|---|---|---|---|\n", section);
    }
    page += row_of(*describe(key));
  }
  return page;
}

}  // namespace gpuio
