// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gpuio/result.hpp"
#include "gpuio/safetensors.hpp"

namespace gpuio::store {

inline constexpr std::uint64_t kPrefixBytes = 8;  ///< The header's length, little-endian.
inline constexpr std::uint64_t kHeaderBytesMax = std::uint64_t{16} << 20;
inline constexpr std::size_t kEntriesMax = std::size_t{1} << 20;  ///< Tensors and metadata together.
inline constexpr std::size_t kRankMax = 64;                       ///< What the largest tensor libraries can make.
inline constexpr std::size_t kNameBytesMax = 1024;
inline constexpr std::string_view kMetadataKey = "__metadata__";

/// What a file says of itself, checked: every extent lies in the file, fits its shape, and touches its neighbours.
struct Header {
  std::vector<safetensors::TensorInfo> tensors;  ///< By offset; those without bytes before the one that starts there.
  std::map<std::string, std::string> metadata;
};

/// The header's length from a file's first bytes. Fails with `corrupt` unless the file holds such a header; `file`
/// names it.
[[nodiscard]] Result<std::uint64_t> parse_header_length(const std::array<std::byte, kPrefixBytes>& prefix,
                                                        std::uint64_t file_bytes, std::string_view file);

/// Parses the `json` of a file of `file_bytes` bytes; requires what parse_header_length accepted. Memory is bounded by
/// a small multiple of `json`. Fails with `corrupt`: the rule that is broken, the file, and where it is one, the
/// tensor.
[[nodiscard]] Result<Header> parse_header(std::string_view json, std::uint64_t file_bytes, std::string_view file);

}  // namespace gpuio::store
