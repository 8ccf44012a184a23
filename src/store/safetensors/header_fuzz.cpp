// SPDX-License-Identifier: Apache-2.0
// What the parser accepts must be a file: extents that cover the data, fit their shapes, and survive being written
// again. Input: a file; or, where its prefix says nothing useful, a header for a file with kLooseDataBytes of data.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "store/safetensors/dtype.h"
#include "store/safetensors/encode.h"
#include "store/safetensors/header.h"

namespace {

using gpuio::Result;
using gpuio::store::Encoded;
using gpuio::store::Header;
using gpuio::store::kPrefixBytes;

constexpr std::uint64_t kLooseDataBytes = 64;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_accepted(const Header& header, std::uint64_t data_begin, std::uint64_t file_bytes) {
  std::uint64_t covered = data_begin;
  for (const auto& tensor : header.tensors) {
    require(tensor.extent.offset == covered);
    covered += tensor.extent.length;
    require(covered <= file_bytes);
    require(gpuio::store::packed_bytes(tensor.dtype, tensor.shape).value() == tensor.extent.length);
  }
  require(covered == file_bytes);

  // Escapes and padding may carry a header that is close to the limit over it.
  const Result<Encoded> encoded = gpuio::store::encode_header(header.tensors, header.metadata);
  require(encoded.has_value() || data_begin > gpuio::store::kHeaderBytesMax / 8);
  if (!encoded) return;
  const Result<Header> again =
      gpuio::store::parse_header(std::string_view(encoded->head).substr(kPrefixBytes), encoded->file_bytes, "again");
  require(again.has_value());
  require(again->metadata == header.metadata && again->tensors.size() == header.tensors.size());
}

void try_header(std::string_view json, std::uint64_t file_bytes) {
  const Result<Header> header = gpuio::store::parse_header(json, file_bytes, "fuzz");
  if (header) return check_accepted(*header, kPrefixBytes + json.size(), file_bytes);
  require(header.error().code() == gpuio::Code::corrupt);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::array<std::byte, kPrefixBytes> prefix{};
  std::copy_n(reinterpret_cast<const std::byte*>(data), std::min(size, prefix.size()), prefix.begin());
  const Result<std::uint64_t> length = gpuio::store::parse_header_length(prefix, size, "fuzz");
  if (length) {
    try_header(bytes.substr(kPrefixBytes, *length), size);
  } else {
    require(length.error().code() == gpuio::Code::corrupt);
    try_header(bytes, kPrefixBytes + size + kLooseDataBytes);
  }
  return 0;
}
