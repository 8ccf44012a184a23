// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

/// Processors' caches over memory that other hosts store to and load from without being told. On a processor that has
/// no instruction for it these are fences alone. Thread safety: all functions.
namespace gpuio::mem {

/// What was stored to [base, base + bytes) is in memory when it returns; it may stay in the cache.
void write_back_lines(const std::byte* base, std::size_t bytes) noexcept;

/// Later loads from [base, base + bytes) see what is in memory, not what this processor kept. What it had stored there
/// is written back first.
void drop_lines(const std::byte* base, std::size_t bytes) noexcept;

}  // namespace gpuio::mem
