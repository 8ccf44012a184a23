// SPDX-License-Identifier: Apache-2.0
#include "engine/local/local_settings.h"

#include <algorithm>

#include "core/settings/settings_values.h"

namespace gpuio::local {

std::optional<DirectUse> parse_direct_use(std::string_view text) noexcept {
  if (text == "auto") return DirectUse::automatic;
  if (text == "always") return DirectUse::always;
  if (text == "never") return DirectUse::never;
  return std::nullopt;
}

LocalSettings read_settings(const core::SettingsValues& values) {
  // Counts of one system call are 32 bits wide, and the kernel moves no more than 2 GiB with one anyway.
  constexpr std::uint64_t kReadBytesMax = 1ULL << 30;
  LocalSettings settings;
  if (values.local_engine == "uring") settings.queue = LocalSettings::Queue::uring;
  if (values.local_engine == "threads") settings.queue = LocalSettings::Queue::threads;
  settings.direct = parse_direct_use(values.local_direct).value_or(DirectUse::automatic);
  settings.direct_bytes_min = values.local_direct_bytes_min;
  settings.read_bytes_max = static_cast<std::uint32_t>(std::min(values.local_read_bytes_max, kReadBytesMax));
  settings.queue_depth_max = static_cast<std::uint32_t>(values.local_queue_depth_max);
  settings.fill_threads = static_cast<std::uint32_t>(values.local_fill_threads);
  return settings;
}

}  // namespace gpuio::local
