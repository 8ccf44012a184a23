// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gpuio/context.hpp"

namespace gpuio::cli {

struct SourceFile {
  std::string path;
  Store store;
};

/// Bytes that belong together in memory: a tensor, or a whole file that is no model.
struct Piece {
  std::size_t file = 0;  ///< Position in Source::files.
  Extent extent;
  std::string tensor;  ///< Its name; empty for a plain file.
};

/// What `gpuio load` was asked to load.
struct Source {
  std::vector<SourceFile> files;
  std::vector<Piece> pieces;
  std::uint64_t bytes = 0;  ///< Of all pieces.
  std::size_t tensors = 0;
  std::size_t empty_files = 0;  ///< Named or found, and left out.

  /// Bytes that are in the page cache now. Stores that can't tell count as not resident.
  [[nodiscard]] std::uint64_t resident_bytes() const;

  /// Drops every file's clean pages from the page cache.
  void evict() const;
};

/// Opens what `paths` name (find_files). `*.safetensors` and `*.safetensors.index.json` are models: their headers are
/// read and checked, and every tensor is a piece. Throws gpuio::Error: as Context::open and safetensors::Model::open.
Source open_source(const Context& context, std::span<const std::string> paths);

/// True for `*.safetensors` and `*.safetensors.index.json`.
bool is_model_path(std::string_view path) noexcept;

/// The path of a `file://` store. Throws `unsupported` for others.
std::string local_path(const Store& store);

}  // namespace gpuio::cli
