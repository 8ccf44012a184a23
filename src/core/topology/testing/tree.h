// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "base/testing/temporary_folder.h"

namespace gpuio::core::topology {

/// A folder with the files of fixtures/NAME.tree (format: tools/sysfs_tree), which the test may then change.
class Tree {
 public:
  explicit Tree(const std::string& name) {
    std::ifstream text(std::filesystem::path(GPUIO_TOPOLOGY_FIXTURES) / (name + ".tree"));
    if (!text) throw std::runtime_error("no fixture " + name);
    for (std::string line; std::getline(text, line);) unpack(line);
  }

  [[nodiscard]] std::string root() const { return root_.string(); }

  /// Replaces a file, or makes it.
  void write(const std::string& path, const std::string& content) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << content << '\n';
  }
  void link(const std::string& path, const std::string& target) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::filesystem::create_symlink(target, root_ / path);
  }
  void remove(const std::string& path) const { std::filesystem::remove_all(root_ / path); }

 private:
  void unpack(const std::string& line) const {
    if (line.empty() || line.front() == '#') return;
    if (const std::size_t at = line.find(" -> "); at != std::string::npos) {
      link(line.substr(0, at), line.substr(at + 4));
    } else if (const std::size_t equals = line.find(" ="); equals != std::string::npos) {
      const std::filesystem::path file = root_ / line.substr(0, equals);
      std::filesystem::create_directories(file.parent_path());
      std::ofstream(file, std::ios::app) << (equals + 3 < line.size() ? line.substr(equals + 3) : "") << '\n';
    } else {
      std::filesystem::create_directories(root_ / line);
    }
  }

  const base::testing::TemporaryFolder folder_;
  const std::filesystem::path root_ = folder_.path();
};

}  // namespace gpuio::core::topology
