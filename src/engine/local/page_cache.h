// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

/// Which bytes of a file are in memory, as the kernel tells it.
namespace gpuio::local::page_cache {

enum class Method : std::uint8_t { cachestat, mincore, none };

/// The best that works here, found once by trying.
[[nodiscard]] Method method();
[[nodiscard]] std::string_view to_string(Method method) noexcept;

/// Bytes of the range in the page cache; nullopt where the kernel won't say (the file must be ours or writable).
[[nodiscard]] std::optional<std::uint64_t> resident(int file, std::uint64_t offset, std::uint64_t length);

}  // namespace gpuio::local::page_cache
