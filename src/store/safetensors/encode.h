// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "gpuio/result.hpp"
#include "gpuio/safetensors.hpp"

namespace gpuio::store {

/// A file's beginning, and where its tensors go.
struct Encoded {
  std::string head;                              ///< Prefix, JSON and padding: what stands before the first tensor.
  std::vector<safetensors::TensorInfo> tensors;  ///< As given, with their offsets.
  std::uint64_t file_bytes = 0;
};

/// Lays `tensors`, of `extent.length` bytes each, out as the format's own writer does: larger alignment first, then by
/// name; the JSON without blanks and padded with them to a multiple of 8 bytes. What our own parser would refuse is
/// `invalid_argument`: a name twice or not UTF-8, bytes that don't fit the shape, a header over the limits.
[[nodiscard]] Result<Encoded> encode_header(std::vector<safetensors::TensorInfo> tensors,
                                            const std::map<std::string, std::string>& metadata);

}  // namespace gpuio::store
