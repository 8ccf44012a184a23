// SPDX-License-Identifier: Apache-2.0
// What the index parser accepts names each tensor once, and only shards that stay in the folder.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string_view>

#include "store/safetensors/index.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  const gpuio::Result<gpuio::store::Index> index = gpuio::store::parse_index(json, "fuzz");
  if (!index) {
    require(index.error().code() == gpuio::Code::corrupt);
    return 0;
  }
  for (const std::string& shard : index->shards) {
    const std::filesystem::path joined = (std::filesystem::path("/folder") / shard).lexically_normal();
    require(joined.native().starts_with("/folder/") && joined.extension() == ".safetensors");
  }
  std::set<std::string_view> names;
  for (const auto& [name, shard] : index->tensors) {
    require(names.insert(name).second);
    require(shard < index->shards.size());
  }
  require(!names.empty());
  return 0;
}
