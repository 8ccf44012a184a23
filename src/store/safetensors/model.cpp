// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/try.h"
#include "gpuio/safetensors.hpp"
#include "store/safetensors/folder.h"
#include "store/safetensors/header.h"
#include "store/safetensors/index.h"
#include "store/safetensors/json_reader.h"

namespace gpuio::safetensors {
namespace {

// Headers of most models fit, so that one read gets prefix and header.
constexpr std::uint64_t kProbeBytes = std::uint64_t{64} << 10;

Result<Buffer> read_start(const Context& context, const Store& file, std::uint64_t length) {
  GPUIO_ASSIGN(const Device host, context.device("host"));
  GPUIO_ASSIGN(Buffer bytes, host.allocate(length));
  GPUIO_ASSIGN(const Request request, context.read(file, bytes, {.priority = Priority::high}));
  GPUIO_TRY(request.wait());
  return bytes;
}

std::string_view text_of(const Buffer& bytes, std::uint64_t offset, std::uint64_t length) {
  return {reinterpret_cast<const char*>(bytes.data()) + offset, length};
}

Result<store::Header> read_header(const Context& context, const Store& file) {
  const std::uint64_t file_bytes = file.size();  // Once: the file may change while we look.
  std::array<std::byte, store::kPrefixBytes> prefix{};
  Buffer bytes;
  if (file_bytes >= prefix.size()) {
    GPUIO_ASSIGN(bytes, read_start(context, file, std::min(file_bytes, kProbeBytes)));
    std::memcpy(prefix.data(), bytes.data(), prefix.size());
  }
  GPUIO_ASSIGN(const std::uint64_t length, store::parse_header_length(prefix, file_bytes, file.uri()));
  if (prefix.size() + length > bytes.size()) {
    GPUIO_ASSIGN(bytes, read_start(context, file, prefix.size() + length));
  }
  return store::parse_header(text_of(bytes, prefix.size(), length), file_bytes, file.uri());
}

Result<store::Index> read_index(const Context& context, std::string_view uri) {
  GPUIO_ASSIGN(const Store file, context.open(uri));
  const std::uint64_t length = file.size();
  if (length == 0 || length > store::kIndexBytesMax) {
    return Status(Code::corrupt, "an index that is empty or over its limit").with("file", uri).with("bytes", length);
  }
  GPUIO_ASSIGN(const Buffer bytes, read_start(context, file, length));
  return store::parse_index(text_of(bytes, 0, length), uri);
}

}  // namespace

Result<Model> Model::open(const Context& context, std::string_view path) {
  GPUIO_ASSIGN(store::ModelPath found, store::find_model(path));
  store::Index index;
  if (!found.index.empty()) {
    GPUIO_ASSIGN(index, read_index(context, found.index));
    for (const std::string& shard : index.shards) found.files.push_back(store::beside(found.index, shard));
  }
  Model model(context);
  for (const std::string& uri : found.files) GPUIO_TRY(model.add_file(uri));
  GPUIO_TRY(model.sort_names());
  for (const auto& [name, shard] : index.tensors) {
    const TensorInfo* tensor = model.find(name);
    if (tensor != nullptr && tensor->file == shard) continue;
    return Status(Code::corrupt, "the index names a tensor that its shard doesn't hold")
        .with("file", found.index)
        .with("tensor", store::shown(name))
        .with("shard", index.shards[shard]);
  }
  return model;
}

Status Model::add_file(std::string_view uri) {
  GPUIO_ASSIGN(Store file, context_.open(uri));
  GPUIO_ASSIGN(store::Header header, read_header(context_, file));
  for (TensorInfo& tensor : header.tensors) {
    tensor.file = files_.size();
    tensors_.push_back(std::move(tensor));
  }
  metadata_.merge(header.metadata);
  files_.push_back(std::move(file));
  return {};
}

Status Model::sort_names() {
  by_name_.resize(tensors_.size());
  std::iota(by_name_.begin(), by_name_.end(), std::size_t{0});
  std::sort(by_name_.begin(), by_name_.end(),
            [this](std::size_t a, std::size_t b) { return tensors_[a].name < tensors_[b].name; });
  const auto twice = std::adjacent_find(by_name_.begin(), by_name_.end(), [this](std::size_t a, std::size_t b) {
    return tensors_[a].name == tensors_[b].name;
  });
  if (twice == by_name_.end()) return {};
  const TensorInfo& one = tensors_[twice[0]];
  const TensorInfo& other = tensors_[twice[1]];
  return Status(Code::corrupt, "two files hold a tensor of the same name")
      .with("tensor", store::shown(one.name))
      .with("file", files_[one.file].uri())
      .with("other", files_[other.file].uri());
}

const TensorInfo* Model::find(std::string_view name) const noexcept {
  const auto found = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                      [this](std::size_t i, std::string_view n) { return tensors_[i].name < n; });
  return found != by_name_.end() && tensors_[*found].name == name ? &tensors_[*found] : nullptr;
}

std::uint64_t Model::size_bytes() const noexcept {
  return std::accumulate(tensors_.begin(), tensors_.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const TensorInfo& tensor) { return sum + tensor.extent.length; });
}

}  // namespace gpuio::safetensors
