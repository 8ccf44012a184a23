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

/// A way past the caches that this processor knows: `lines` are of 64 bytes, `to` is aligned to them, `from` to
/// nothing.
struct StreamingCopy {
  std::string_view name;
  void (*copy)(std::byte* to, const std::byte* from, std::size_t lines) noexcept = nullptr;
};

/// All of them, the one that is used first; none on processors without such stores. For tests.
[[nodiscard]] std::span<const StreamingCopy> streaming_copies() noexcept;

}  // namespace gpuio::core
