// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace gpuio::base {

/// CRC-32C (Castagnoli) of `bytes` after what `crc` is the checksum of: crc32c(b, crc32c(a)) is that of a and b
/// together. Uses the processor's instruction where there is one, three streams at a time.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc = 0) noexcept;

/// The checksum of two neighbours from theirs, without their bytes; for parts that were read in any order.
[[nodiscard]] std::uint32_t crc32c_combine(std::uint32_t first, std::uint32_t second,
                                           std::uint64_t second_bytes) noexcept;

// The two ways, for tests that compare them. The hardware's may be called only where there is one.
[[nodiscard]] bool crc32c_has_hardware() noexcept;
[[nodiscard]] std::uint32_t crc32c_hardware(std::span<const std::byte> bytes, std::uint32_t crc) noexcept;
[[nodiscard]] std::uint32_t crc32c_software(std::span<const std::byte> bytes, std::uint32_t crc) noexcept;

}  // namespace gpuio::base
