// SPDX-License-Identifier: Apache-2.0
#include "store/safetensors/folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/try.h"

namespace gpuio::store {
namespace {

constexpr std::string_view kFileSuffix = ".safetensors";
constexpr std::string_view kIndexSuffix = ".safetensors.index.json";
constexpr std::string_view kUsualIndex = "model.safetensors.index.json";

struct Listing {
  std::vector<std::string> indexes;
  std::vector<std::string> files;
};

Status failed(const std::error_code& error, const std::filesystem::path& folder) {
  return Status::from_errno(error.value(), "the folder can't be listed").with("path", folder.native());
}

Result<Listing> list(const std::filesystem::path& folder) {
  Listing listing;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().native();
    if (name.ends_with(kIndexSuffix)) listing.indexes.push_back(name);
    if (name.ends_with(kFileSuffix)) listing.files.push_back(name);
  }
  if (error) return failed(error, folder);
  std::sort(listing.indexes.begin(), listing.indexes.end());
  std::sort(listing.files.begin(), listing.files.end());
  return listing;
}

// Empty where `path` is of a scheme other than file.
std::string_view local_part(std::string_view path) {
  constexpr std::string_view kScheme = "file://";
  if (path.starts_with(kScheme)) return path.substr(kScheme.size());
  return path.find("://") == std::string_view::npos ? path : std::string_view();
}

Result<ModelPath> find_in_folder(std::string_view path, const std::filesystem::path& folder) {
  GPUIO_ASSIGN(const Listing listing, list(folder));
  const std::string base = fmt::format("{}{}", path, path.ends_with('/') ? "" : "/");
  const auto usual = std::find(listing.indexes.begin(), listing.indexes.end(), kUsualIndex);
  if (usual != listing.indexes.end()) return ModelPath{base + *usual, {}};
  if (listing.indexes.size() == 1) return ModelPath{base + listing.indexes.front(), {}};
  if (listing.indexes.size() > 1) {
    return Status(Code::invalid_argument, fmt::format("a folder with several models; name one of their indexes, as {}",
                                                      listing.indexes.front()))
        .with("path", path);
  }
  if (listing.files.empty()) {
    return Status(Code::not_found, "the folder holds no *.safetensors and no index of any").with("path", path);
  }
  ModelPath found;
  for (const std::string& name : listing.files) found.files.push_back(base + name);
  return found;
}

}  // namespace

Result<ModelPath> find_model(std::string_view path) {
  const std::string_view bare = path.substr(0, path.find('?'));
  if (bare.ends_with(kIndexSuffix)) return ModelPath{std::string(path), {}};
  const std::filesystem::path local(local_part(path));
  std::error_code error;
  if (!local.empty() && std::filesystem::is_directory(local, error)) return find_in_folder(path, local);
  return ModelPath{{}, {std::string(path)}};
}

std::string beside(std::string_view sibling, std::string_view name) {
  const std::size_t parameters = std::min(sibling.find('?'), sibling.size());
  const std::size_t slash = sibling.substr(0, parameters).rfind('/');
  const std::string_view folder = slash == std::string_view::npos ? std::string_view() : sibling.substr(0, slash + 1);
  return fmt::format("{}{}{}", folder, name, sibling.substr(parameters));
}

}  // namespace gpuio::store
