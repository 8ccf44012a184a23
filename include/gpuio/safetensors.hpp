// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gpuio/context.hpp"

/// The safetensors format: an 8-byte little-endian header length, a JSON header, then the tensors' bytes.
/// Source: the format section of the safetensors project's README. Its limits are ours or stricter: a header of at most
/// 16 MiB with at most 2^20 entries, names of at most 1 KiB, at most 64 dimensions; tensors cover the data exactly,
/// without holes or overlaps.
namespace gpuio::safetensors {

/// Element types, named as in the header, by growing alignment as the format orders them.
/// `f4` is packed two to a byte, `f6_...` four to three bytes; a tensor of them fills whole bytes.
enum class Dtype : std::uint8_t {
  boolean,
  f4,
  f6_e2m3,
  f6_e3m2,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  f8_e8m0,
  f8_e4m3fnuz,
  f8_e5m2fnuz,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  c64,
  f64,
  i64,
  u64,
};

/// "F32", "BOOL": the name in the header.
std::string_view to_string(Dtype dtype) noexcept;
/// Bits of one element.
unsigned bits(Dtype dtype) noexcept;

/// One tensor as its file describes it.
struct TensorInfo {
  std::string name;                  ///< As in the header.
  Dtype dtype = Dtype::u8;           ///< Type of its elements.
  std::vector<std::uint64_t> shape;  ///< Outermost first; empty for a scalar.
  std::size_t file = 0;              ///< Position in Model::files.
  Extent extent;                     ///< In that file, from its first byte (the header's length included).
};

/// Rows `[begin, end)` of a tensor along its first dimension; by default all of it.
struct Selection {
  std::string name;                       ///< As in the header.
  std::uint64_t begin = 0;                ///< First row.
  std::uint64_t end = ~std::uint64_t{0};  ///< One past the last row.
};

/// A tensor in memory: no copy, a Slice of the load's Buffer.
struct Tensor {
  TensorInfo info;  ///< `shape` and `extent` are those of the selection.
  Slice bytes;      ///< Its elements, row-major.
};

/// Tensors under way or in memory. Owns the Buffer that all of them share.
struct Loaded {
  Buffer memory;                ///< All tensors.
  std::vector<Tensor> tensors;  ///< In the order asked for, or of Model::tensors.
  Request request;              ///< One Request for all files; wait for it before use.
};

/// How tensors lie in memory: tensors that are neighbours in a file stay neighbours, so that a whole file is one
/// transfer. Each such run starts at a multiple of `alignment_bytes`; a tensor that would not lie at a multiple of its
/// element's size starts a new run. So every tensor is aligned to its elements, and the first of each run to
/// `alignment_bytes`.
struct LoadOptions {
  TransferOptions transfer;             ///< Priority, stream, timeout.
  std::uint64_t alignment_bytes = 256;  ///< A power of two, 8 to 2 MiB.
};

/// One model: a file, a folder of files, or an index (`*.safetensors.index.json`) with its shards. Thread safety:
/// const.
class Model {
 public:
  /// Reads and checks every header, blocking. `path` is the URI or path of a file or an index, or of a folder: there
  /// the index decides, else all its `*.safetensors` are taken. Shards lie in the index's folder or below it. Fails
  /// with `corrupt` (names file and tensor, and what is wrong), `not_found` (a shard; a folder with neither),
  /// `invalid_argument` (a folder with several indexes), or as Context::open and Context::read.
  [[nodiscard]] static Result<Model> open(const Context& context, std::string_view path);

  /// Opened, in the order of TensorInfo::file.
  [[nodiscard]] const std::vector<Store>& files() const noexcept { return files_; }
  /// By file, and by offset in each.
  [[nodiscard]] const std::vector<TensorInfo>& tensors() const noexcept { return tensors_; }
  /// Of all files; where two have a key, of the first.
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }
  [[nodiscard]] const TensorInfo* find(std::string_view name) const noexcept;  ///< Null if there is none.
  [[nodiscard]] std::uint64_t size_bytes() const noexcept;                     ///< Of all tensors.

  /// Starts loading every tensor into newly allocated memory of `device`, as one Request. Fails with `invalid_argument`
  /// (alignment), or as Device::allocate and Context::read.
  [[nodiscard]] Result<Loaded> load(const Device& device, const LoadOptions& options = {}) const;
  /// ... or those named, or rows of them. Fails with `not_found` (a name, with the nearest one), `out_of_range` (rows),
  /// `invalid_argument` (no selection; rows that begin or end inside a byte, where elements are smaller than one).
  [[nodiscard]] Result<Loaded> load(const Device& device, std::span<const Selection> selections,
                                    const LoadOptions& options = {}) const;

 private:
  explicit Model(Context context) : context_(std::move(context)) {}
  [[nodiscard]] Status add_file(std::string_view uri);
  [[nodiscard]] Status sort_names();

  Context context_;
  std::vector<Store> files_;
  std::vector<TensorInfo> tensors_;
  std::vector<std::size_t> by_name_;  ///< Positions in tensors_, sorted by name.
  std::map<std::string, std::string> metadata_;
};

/// A tensor to be saved. `bytes` may be on any device.
struct SaveTensor {
  std::string name;                  ///< As in the header.
  Dtype dtype = Dtype::u8;           ///< Type of its elements.
  std::vector<std::uint64_t> shape;  ///< Outermost first; empty for a scalar.
  Slice bytes;                       ///< Its elements, row-major.
};

/// Writes one file, atomically and durably: aside, flushed, renamed, the folder flushed. Blocks until that is done.
/// Tensors are laid out as the format's own writer does: larger alignment first, then by name.
/// Fails with `invalid_argument` (a name twice or not UTF-8, bytes that don't fit the shape, a header over the limits),
/// or as Context::open and Context::write; `path` is then as before.
[[nodiscard]] Status save(const Context& context, std::string_view path, std::span<const SaveTensor> tensors,
                          const std::map<std::string, std::string>& metadata = {});

}  // namespace gpuio::safetensors
