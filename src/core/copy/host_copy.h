// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "core/cost_model/streamed_bytes.h"

/// Copies between host memory, by one thread. Who has several gives each a part.
namespace gpuio::core {

/// As memcpy: the ranges don't overlap. Those of streamed_bytes_min() and more are written past the caches.
void host_copy(std::byte* to, const std::byte* from, std::size_t bytes) noexcept;

/// As host_copy, for a part of a copy of `whole_bytes`: what is worth while is decided by the whole.
void host_copy_part(std::byte* to, const std::byte* from, std::size_t bytes, std::size_t whole_bytes) noexcept;

inline constexpr std::size_t kHostLineBytes = 64;

/// Copies whole lines past the caches: `to` is aligned to a line, `from` to nothing. What lies `ahead_bytes` further on
/// is fetched meanwhile. Others see the bytes in order only after `streaming_fence`.
using StreamLines = void (*)(std::byte* to, const std::byte* from, std::size_t lines, std::size_t ahead_bytes) noexcept;

struct StreamingCopy {
  std::string_view name;
  StreamLines copy = nullptr;
};

/// Those that this processor knows, the one that is used first; none where there are no such stores.
[[nodiscard]] std::span<const StreamingCopy> streaming_copies() noexcept;

void streaming_fence() noexcept;

}  // namespace gpuio::core
