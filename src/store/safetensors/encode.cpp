// SPDX-License-Identifier: Apache-2.0
#include "store/safetensors/encode.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <optional>
#include <utility>

#include "base/align.h"
#include "base/try.h"
#include "store/safetensors/header.h"

namespace gpuio::store {
namespace {

using safetensors::TensorInfo;

void append_quoted(std::string& json, std::string_view text) {
  constexpr std::string_view kEscaped = "\"\\\b\f\n\r\t";
  constexpr std::string_view kLetters = "\"\\bfnrt";
  json += '"';
  for (const char c : text) {
    const std::size_t escape = kEscaped.find(c);
    if (escape != std::string_view::npos) {
      json += '\\';
      json += kLetters[escape];
    } else if (static_cast<unsigned char>(c) < ' ') {
      fmt::format_to(std::back_inserter(json), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      json += c;
    }
  }
  json += '"';
}

void append_metadata(std::string& json, const std::map<std::string, std::string>& metadata) {
  append_quoted(json, kMetadataKey);
  json += ":{";
  for (const auto& [key, value] : metadata) {
    append_quoted(json, key);
    json += ':';
    append_quoted(json, value);
    json += ',';
  }
  json.back() = '}';
}

void append_tensor(std::string& json, const TensorInfo& tensor) {
  append_quoted(json, tensor.name);
  fmt::format_to(std::back_inserter(json), R"(:{{"dtype":"{}","shape":[)", to_string(tensor.dtype));
  for (const std::uint64_t dimension : tensor.shape) fmt::format_to(std::back_inserter(json), "{},", dimension);
  if (!tensor.shape.empty()) json.pop_back();
  fmt::format_to(std::back_inserter(json), R"(],"data_offsets":[{},{}]}})", tensor.extent.offset,
                 tensor.extent.offset + tensor.extent.length);
}

std::vector<std::size_t> writing_order(const std::vector<TensorInfo>& tensors) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (tensors[a].dtype != tensors[b].dtype) return tensors[a].dtype > tensors[b].dtype;
    return tensors[a].name < tensors[b].name;
  });
  return order;
}

std::string with_prefix(const std::string& json) {
  std::string head;
  head.reserve(kPrefixBytes + json.size());
  for (std::size_t i = 0; i < kPrefixBytes; ++i) head += static_cast<char>((json.size() >> (8 * i)) & 0xFFU);
  return head += json;
}

}  // namespace

Result<Encoded> encode_header(std::vector<TensorInfo> tensors, const std::map<std::string, std::string>& metadata) {
  const auto invalid = [](std::string what) { return Status(Code::invalid_argument, std::move(what)); };
  std::string json = "{";
  if (!metadata.empty()) {
    append_metadata(json, metadata);
    json += ',';
  }
  std::uint64_t data_bytes = 0;
  for (const std::size_t i : writing_order(tensors)) {
    TensorInfo& tensor = tensors[i];
    tensor.extent.offset = data_bytes;
    const std::optional<std::uint64_t> end = base::checked_add(data_bytes, tensor.extent.length);
    if (!end) return invalid("the tensors' sizes overflow 64 bits").with("tensor", tensor.name);
    data_bytes = *end;
    append_tensor(json, tensor);
    json += ',';
    if (json.size() > kHeaderBytesMax) return invalid(fmt::format("the header exceeds {} bytes", kHeaderBytesMax));
  }
  if (json.size() > 1) json.pop_back();
  json += '}';
  json.resize(base::align_up(json.size(), std::size_t{8}), ' ');

  const std::uint64_t data_begin = kPrefixBytes + json.size();
  const std::optional<std::uint64_t> file_bytes = base::checked_add(data_begin, data_bytes);
  if (!file_bytes || json.size() > kHeaderBytesMax) return invalid("the file or its header would be too large");
  // What we write we must be able to read: the parser knows every rule.
  const Result<Header> header = parse_header(json, *file_bytes, "");
  if (!header) return invalid(std::string(header.error().message()));
  for (TensorInfo& tensor : tensors) tensor.extent.offset += data_begin;
  return Encoded{with_prefix(json), std::move(tensors), *file_bytes};
}

}  // namespace gpuio::store
