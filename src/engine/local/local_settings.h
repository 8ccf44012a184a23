// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace gpuio::core {
struct SettingsValues;
}

namespace gpuio::local {

/// Whether O_DIRECT may be used: setting `local.direct`, URI parameter `direct`.
enum class DirectUse : std::uint8_t { automatic, always, never };

[[nodiscard]] std::optional<DirectUse> parse_direct_use(std::string_view text) noexcept;

/// Settings `local.*` as this room reads them.
struct LocalSettings {
  enum class Queue : std::uint8_t { automatic, uring, threads };
  Queue queue = Queue::automatic;           ///< local.engine
  DirectUse direct = DirectUse::automatic;  ///< local.direct
  std::uint64_t direct_bytes_min = 0;       ///< local.direct_bytes_min
  std::uint32_t read_bytes_max = 0;         ///< local.read_bytes_max
  std::uint32_t queue_depth_max = 0;        ///< local.queue_depth_max
  std::uint32_t fill_threads = 0;           ///< local.fill_threads
};

[[nodiscard]] LocalSettings read_settings(const core::SettingsValues& values);

}  // namespace gpuio::local
