// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "gpuio/result.hpp"
#include "gpuio/safetensors.hpp"

namespace gpuio::store {

/// The type with that name in headers; empty if the format has none.
[[nodiscard]] std::optional<safetensors::Dtype> parse_dtype(std::string_view name) noexcept;

/// Bytes that an element's address should be a multiple of; 1 for elements smaller than a byte.
[[nodiscard]] std::uint64_t alignment_of(safetensors::Dtype dtype) noexcept;

/// Bytes of a packed tensor. Fails with `corrupt` where the product overflows or its bits don't fill whole bytes.
[[nodiscard]] Result<std::uint64_t> packed_bytes(safetensors::Dtype dtype, std::span<const std::uint64_t> shape);

}  // namespace gpuio::store
