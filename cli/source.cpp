// SPDX-License-Identifier: Apache-2.0
#include "cli/source.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "cli/find_files.h"
#include "cli/local_file.h"
#include "gpuio/safetensors.hpp"

namespace gpuio::cli {
namespace {

constexpr std::string_view kModelSuffix = ".safetensors";
constexpr std::string_view kIndexSuffix = ".safetensors.index.json";

class SourceBuilder {
 public:
  explicit SourceBuilder(const Context& context) : context_(context) {}

  void add_model(const std::string& path) {
    const auto model = safetensors::Model::open(context_, path).value();
    const std::size_t first_file = source_.files.size();
    for (const Store& store : model.files()) {
      const std::string file = local_path(store);
      in_models_.insert(std::filesystem::weakly_canonical(file).string());
      source_.files.push_back({.path = file, .store = store});
    }
    for (const auto& tensor : model.tensors()) {
      ++source_.tensors;
      if (tensor.extent.length == 0) continue;
      add_piece({.file = first_file + tensor.file, .extent = tensor.extent, .tensor = tensor.name});
    }
  }

  void add_plain_file(const std::string& path) {
    Store store = context_.open(path).value();
    if (store.size() == 0) {
      ++source_.empty_files;
      return;
    }
    const Extent all{.offset = 0, .length = store.size()};
    source_.files.push_back({.path = path, .store = std::move(store)});
    add_piece({.file = source_.files.size() - 1, .extent = all, .tensor = ""});
  }

  /// Whether an index that was added before names this file as one of its shards.
  [[nodiscard]] bool is_in_model(const std::string& path) const {
    return in_models_.contains(std::filesystem::weakly_canonical(path).string());
  }

  Source take() && { return std::move(source_); }

 private:
  void add_piece(Piece piece) {
    source_.bytes += piece.extent.length;
    source_.pieces.push_back(std::move(piece));
  }

  Context context_;
  Source source_;
  std::set<std::string> in_models_;
};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::uint64_t Source::resident_bytes() const {
  std::uint64_t resident = 0;
  for (const Piece& piece : pieces) {
    const auto residency = files[piece.file].store.residency(piece.extent.offset, piece.extent.length);
    // Whole pages are counted: the pages at both ends hold bytes of neighbours.
    if (residency) resident += std::min(residency->resident_bytes, piece.extent.length);
  }
  return resident;
}

void Source::evict() const {
  for (const SourceFile& file : files) LocalFile(file.path).evict();
}

Source open_source(const Context& context, std::span<const std::string> paths) {
  const std::vector<std::string> files = find_files(paths);
  SourceBuilder builder(context);
  for (const std::string& file : files) {
    if (file.ends_with(kIndexSuffix)) builder.add_model(file);
  }
  for (const std::string& file : files) {
    if (file.ends_with(kIndexSuffix)) continue;
    if (!is_model_path(file)) {
      builder.add_plain_file(file);
    } else if (!builder.is_in_model(file)) {
      builder.add_model(file);
    }
  }
  Source source = std::move(builder).take();
  if (source.bytes == 0)
    throw Error(Status(Code::invalid_argument, "nothing to load: no bytes").with("path", paths.front()));
  return source;
}

bool is_model_path(std::string_view path) noexcept {
  return path.ends_with(kModelSuffix) || path.ends_with(kIndexSuffix);
}

std::string local_path(const Store& store) {
  constexpr std::string_view kScheme = "file://";
  std::string_view rest = store.uri();
  if (!rest.starts_with(kScheme)) {
    if (rest.find("://") == std::string_view::npos) return std::string(rest);
    throw Error(Status(Code::unsupported, "not a local file").with("store", store.uri()));
  }
  rest.remove_prefix(kScheme.size());
  rest = rest.substr(0, rest.find('?'));
  std::string path;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const bool escaped =
        rest[i] == '%' && i + 2 < rest.size() && hex_digit(rest[i + 1]) >= 0 && hex_digit(rest[i + 2]) >= 0;
    path += escaped ? static_cast<char>(hex_digit(rest[i + 1]) * 16 + hex_digit(rest[i + 2])) : rest[i];
    if (escaped) i += 2;
  }
  return path;
}

}  // namespace gpuio::cli
