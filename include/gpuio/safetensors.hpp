// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gpuio/context.hpp"

/// The safetensors format: an 8-byte little-endian header length, a JSON header, then the tensors' bytes.
/// Source: the format section of the safetensors project's README. Its limits are ours or stricter: a header of at most
/// 16 MiB with at most 2^20 entries; tensors cover the data exactly, without holes or overlaps.
namespace gpuio::safetensors {

/// Element types, named as in the header.
enum class Dtype : std::uint8_t { boolean, u8, i8, f8_e5m2, f8_e4m3, f8_e8m0, i16, u16, f16, bf16, i32, u32, f32, f64, i64, u64 };

std::string_view to_string(Dtype dtype) noexcept;
/// Bits of one element.
unsigned bits(Dtype dtype) noexcept;

/// One tensor as its file describes it.
struct TensorInfo {
  std::string name;
  Dtype dtype = Dtype::u8;
  std::vector<std::uint64_t> shape;  ///< Outermost first; empty for a scalar.
  std::size_t file = 0;              ///< Position in Model::files.
  Extent extent;                     ///< In that file, from its first byte (the header's length included).
};

/// Tensors `[begin, end)` along the first dimension; default: all of it.
struct Selection {
  std::string name;
  std::uint64_t begin = 0;
  std::uint64_t end = ~std::uint64_t{0};
};

/// A tensor in memory: no copy, a Slice of the load's Buffer.
struct Tensor {
  TensorInfo info;  ///< `shape` is that of the selection.
  Slice bytes;
};

/// Tensors under way or in memory. Owns the Buffer that all of them share.
struct Loaded {
  Buffer memory;
  std::vector<Tensor> tensors;  ///< In the order asked for, or of the files.
  Request request;              ///< One Request for all files; wait for it before use.
};

struct LoadOptions {
  TransferOptions transfer;
  std::uint64_t alignment_bytes = 256;  ///< Of each tensor in memory; a power of two.
};

/// One model: a file, a folder of files, or an index (`*.safetensors.index.json`) with its shards. Thread safety: const.
class Model {
 public:
  /// Reads and checks every header. `path` is a file, an index or a folder that holds one of these.
  /// Fails with `corrupt` (names file and what is wrong), `not_found` (a shard), `invalid_argument`, or as Context::open.
  [[nodiscard]] static Result<Model> open(const Context& context, std::string_view path);

  [[nodiscard]] const std::vector<Store>& files() const noexcept { return files_; }
  [[nodiscard]] const std::vector<TensorInfo>& tensors() const noexcept { return tensors_; }
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }
  [[nodiscard]] const TensorInfo* find(std::string_view name) const noexcept;  ///< Null if there is none.
  [[nodiscard]] std::uint64_t size_bytes() const noexcept;                     ///< Of all tensors.

  /// Starts loading every tensor into newly allocated memory of `device`, as one Request.
  [[nodiscard]] Result<Loaded> load(const Device& device, const LoadOptions& options = {}) const;
  /// ... or those named, or rows of them. Fails with `not_found` (a name, with the nearest one), `out_of_range` (rows).
  [[nodiscard]] Result<Loaded> load(const Device& device, std::span<const Selection> selections,
                                    const LoadOptions& options = {}) const;

 private:
  explicit Model(Context context) : context_(std::move(context)) {}

  Context context_;
  std::vector<Store> files_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
  std::map<std::string, std::string> metadata_;
};

/// A tensor to be saved. `bytes` may be on any device.
struct SaveTensor {
  std::string name;
  Dtype dtype = Dtype::u8;
  std::vector<std::uint64_t> shape;
  Slice bytes;
};

/// Writes one file, atomically and durably: aside, flushed, renamed, the folder flushed. Blocks until that is done.
/// Fails with `invalid_argument` (a name twice, bytes that don't fit the shape), or as Context::write; `path` is then as before.
[[nodiscard]] Status save(const Context& context, std::string_view path, std::span<const SaveTensor> tensors,
                          const std::map<std::string, std::string>& metadata = {});

}  // namespace gpuio::safetensors
