// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

// What the processor can do to lines of its caches.
namespace gpuio::pool {

/// Starts to write the lines of [address, address + bytes) back: by clwb, clflushopt or clflush, the first that there
/// is. Done after full_fence().
void write_back_lines(const std::byte* address, std::uint64_t bytes) noexcept;

/// Starts to drop them, written back first where they are dirty: by clflushopt or clflush.
void drop_lines(const std::byte* address, std::uint64_t bytes) noexcept;

/// Flushes are done and stores are seen before what comes later.
void full_fence() noexcept;

/// Earlier loads, those of bytes too, come before later ones.
void order_loads() noexcept;

/// Whether lines can be written back and dropped here, and by what: "clwb", "clflushopt", "clflush", or "" if not.
[[nodiscard]] std::string_view line_instruction() noexcept;

}  // namespace gpuio::pool
