// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace gpuio::base::testing {

/// An empty folder that goes with all it holds. For tests.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::filesystem::path& under = std::filesystem::temp_directory_path()) {
    std::string name = (under / "gpuio-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder in " + under.string());
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code left;  // Nobody can be told in a destructor.
    std::filesystem::remove_all(path_, left);
  }

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace gpuio::base::testing
