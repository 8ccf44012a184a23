// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gpuio/result.hpp"

namespace gpuio::store {

inline constexpr std::uint64_t kIndexBytesMax = std::uint64_t{64} << 20;

/// A model's parts as its `*.safetensors.index.json` lists them.
struct Index {
  std::vector<std::string> shards;  ///< Sorted; paths relative to the index's folder that can't lead out of it.
  std::vector<std::pair<std::string, std::size_t>> tensors;  ///< Name, position in `shards`.
};

/// Parses an index; `file` names it. Keys beside `weight_map` are skipped: writers put totals and versions there.
/// Fails with `corrupt` (not JSON, no `weight_map`, a name twice, a path that leaves the folder or is no .safetensors).
[[nodiscard]] Result<Index> parse_index(std::string_view json, std::string_view file);

/// Whether `path` stays below the folder it is relative to, whatever that is, and can be appended to a URI as it
/// stands.
[[nodiscard]] bool is_contained(std::string_view path);

}  // namespace gpuio::store
