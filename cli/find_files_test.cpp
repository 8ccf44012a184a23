// SPDX-License-Identifier: Apache-2.0
#include "cli/find_files.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "gpuio/status.hpp"

namespace gpuio::cli {
namespace {

namespace fs = std::filesystem;

class FindFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "gpuio_find_XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string file(const std::string& name) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << "x";
    return (folder_ / name).string();
  }

  static Code code_of(const std::vector<std::string>& paths) {
    try {
      find_files(paths);
    } catch (const Error& error) {
      return error.status().code();
    }
    return Code::ok;
  }

  fs::path folder_;
};

TEST_F(FindFiles, FoldersGiveEveryRegularFileBelowSorted) {
  const std::string b = file("b.bin");
  const std::string deep = file("a/deep/c.bin");
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  const std::vector<std::string> paths{folder_.string()};
  EXPECT_EQ(find_files(paths), (std::vector<std::string>{deep, b}));
}

TEST_F(FindFiles, FollowsLinksToFilesButNotToFolders) {
  const std::string blob = file("blobs/1");
  fs::create_directories(folder_ / "snapshot");
  fs::create_symlink(blob, folder_ / "snapshot/model.bin");
  fs::create_directory_symlink(folder_, folder_ / "snapshot/circle");
  const std::vector<std::string> paths{(folder_ / "snapshot").string()};
  EXPECT_EQ(find_files(paths), (std::vector<std::string>{(folder_ / "snapshot/model.bin").string()}));
}

TEST_F(FindFiles, SaysWhatIsWrongWithAPath) {
  EXPECT_EQ(code_of({(folder_ / "missing").string()}), Code::not_found);
  EXPECT_EQ(code_of({folder_.string()}), Code::not_found);
  EXPECT_EQ(code_of({"/dev/null"}), Code::invalid_argument);
}

}  // namespace
}  // namespace gpuio::cli
