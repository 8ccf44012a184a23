// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/mem/pool/format.h"
#include "gpuio/pool.hpp"
#include "gpuio/result.hpp"

namespace gpuio::pool {

using SuperblockBytes = std::array<std::byte, sizeof(Superblock)>;

/// The superblock that `options` ask for in `memory_bytes` of memory. Fails with `invalid_argument` (names the option),
/// `out_of_range` (too little memory for them).
[[nodiscard]] Result<Superblock> plan_superblock(std::uint64_t memory_bytes, const PoolOptions& options,
                                                 const std::array<std::uint8_t, 16>& uuid);

/// With its checksum, as it lies in memory.
[[nodiscard]] SuperblockBytes encode(const Superblock& superblock) noexcept;

/// Checks what may come from anywhere. Fails with `not_found` (no pool here), `unsupported` (an older or newer
/// version), `corrupt` (checksum, or numbers that no pool has), `out_of_range` (more than `memory_bytes`).
[[nodiscard]] Result<Superblock> parse_superblock(std::span<const std::byte, sizeof(Superblock)> bytes,
                                                  std::uint64_t memory_bytes);

/// Where things are in the pool of a superblock that was planned or parsed.
[[nodiscard]] Geometry geometry_of(const Superblock& superblock) noexcept;

}  // namespace gpuio::pool
