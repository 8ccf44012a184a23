// SPDX-License-Identifier: Apache-2.0
#include "store/safetensors/index.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/text.h"
#include "store/safetensors/header.h"
#include "store/safetensors/json_reader.h"

namespace gpuio::store {
namespace {

constexpr std::size_t kDepthMax = 16;
constexpr std::size_t kPathBytesMax = 4096;
constexpr std::string_view kEnding = ".safetensors";

// Keeps the pairs of the weight_map at the top level and skips every other value.
class IndexReader final : public JsonReader {
 public:
  [[nodiscard]] bool has_map() const noexcept { return map_seen_; }
  std::map<std::string, std::string> take() && { return std::move(shard_of_); }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  bool unexpected(std::string_view found) override {
    if (depth_ == 0) return fail(fmt::format("found {} instead of an object", found));
    if (map_next_) return fail(fmt::format("weight_map is {} instead of an object", found));
    if (in_map_) return fail(fmt::format("found {} instead of a shard's path", found));
    return true;
  }

  bool open(std::string_view bracket) {
    if (in_map_ || depth_ == 0 || map_next_) return unexpected(bracket);
    return ++depth_ <= kDepthMax || fail(fmt::format("nested deeper than {}", kDepthMax));
  }

  bool start_object(std::size_t) override {
    if (depth_ > 0 && !map_next_) return open("an object");
    in_map_ = std::exchange(map_next_, false);
    ++depth_;
    return true;
  }
  bool start_array(std::size_t) override { return open("a list"); }
  bool end_array() override { return --depth_, true; }
  bool end_object() override {
    --depth_;
    in_map_ = false;
    name_.clear();
    return true;
  }

  bool key(string_t& name) override {
    if (in_map_) {
      name_ = std::move(name);
      if (name_.size() > kNameBytesMax) return fail(fmt::format("a name longer than {} bytes", kNameBytesMax));
      return shard_of_.size() < kEntriesMax || fail(fmt::format("more than {} entries", kEntriesMax));
    }
    if (depth_ != 1 || name != "weight_map") return true;
    map_next_ = true;
    return !std::exchange(map_seen_, true) || fail("weight_map occurs twice");
  }

  bool string(string_t& path) override {
    if (!in_map_) return unexpected("a string");
    if (!is_contained(path)) {
      return fail(Status(Code::corrupt, "a shard must be a .safetensors file in the index's folder")
                      .with("shard", shown(path)));
    }
    return shard_of_.emplace(name_, std::move(path)).second || fail("a name occurs twice");
  }

  std::size_t depth_ = 0;
  bool map_next_ = false;
  bool map_seen_ = false;
  bool in_map_ = false;
  std::string name_;
  std::map<std::string, std::string> shard_of_;
};

Index number_shards(const std::map<std::string, std::string>& shard_of) {
  Index index;
  for (const auto& [name, shard] : shard_of) index.shards.push_back(shard);
  std::sort(index.shards.begin(), index.shards.end());
  index.shards.erase(std::unique(index.shards.begin(), index.shards.end()), index.shards.end());
  for (const auto& [name, shard] : shard_of) {
    const auto found = std::lower_bound(index.shards.begin(), index.shards.end(), shard);
    index.tensors.emplace_back(name, static_cast<std::size_t>(found - index.shards.begin()));
  }
  return index;
}

}  // namespace

Result<Index> parse_index(std::string_view json, std::string_view file) {
  IndexReader reader;
  Status status = reader.read(json);
  if (!status.ok()) {
    if (!reader.name().empty()) status.with("tensor", shown(reader.name()));
    return status.with("file", file);
  }
  if (!reader.has_map()) return Status(Code::corrupt, "an index without weight_map").with("file", file);
  Index index = number_shards(std::move(reader).take());
  if (index.tensors.empty()) return Status(Code::corrupt, "a weight_map without tensors").with("file", file);
  return index;
}

bool is_contained(std::string_view path) {
  if (path.size() > kPathBytesMax || !path.ends_with(kEnding)) return false;
  // Characters that a URI or another system's paths give a meaning.
  const auto special = [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == 0x7f || c == '\\' || c == '?' || c == '#' || c == '%';
  };
  if (std::any_of(path.begin(), path.end(), special)) return false;
  const std::vector<std::string_view> steps = base::split(path, '/');
  // A file of that ending has a name before it: what is called ".safetensors" is a hidden file without an ending.
  return steps.back() != kEnding && std::none_of(steps.begin(), steps.end(), [](std::string_view step) {
           return step.empty() || step == "." || step == "..";
         });
}

}  // namespace gpuio::store
