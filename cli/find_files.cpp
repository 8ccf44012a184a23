// SPDX-License-Identifier: Apache-2.0
#include "cli/find_files.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "gpuio/status.hpp"

namespace gpuio::cli {
namespace {

namespace fs = std::filesystem;

void check(const std::error_code& error, const std::string& what, const fs::path& path) {
  if (error) throw Error(Status::from_errno(error.value(), what).with("path", path.string()));
}

std::vector<std::string> files_below(const fs::path& folder) {
  std::vector<std::string> files;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  check(error, "can't list folder", folder);
  while (entry != fs::recursive_directory_iterator()) {
    const fs::path path = entry->path();
    std::error_code broken_link;
    if (entry->is_regular_file(broken_link)) files.push_back(path.string());
    entry.increment(error);
    check(error, "can't list folder", path);
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

std::vector<std::string> find_files(std::span<const std::string> paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (status.type() == fs::file_type::not_found) {
      throw Error(Status(Code::not_found, "no such file or folder").with("path", path));
    }
    check(error, "can't look at path", path);
    if (fs::is_directory(status)) {
      std::ranges::move(files_below(path), std::back_inserter(files));
    } else if (fs::is_regular_file(status)) {
      files.push_back(path);
    } else {
      throw Error(Status(Code::invalid_argument, "neither a regular file nor a folder").with("path", path));
    }
  }
  if (files.empty()) {
    throw Error(Status(Code::not_found, "no regular file in the folder").with("path", paths.front()));
  }
  return files;
}

}  // namespace gpuio::cli
