// SPDX-License-Identifier: Apache-2.0
#include "store/safetensors/folder.h"

#include <gmock/gmock.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace gpuio::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SafetensorsFolder : public testing::Test {
 protected:
  SafetensorsFolder() { std::filesystem::create_directories(folder_); }
  ~SafetensorsFolder() override { std::filesystem::remove_all(folder_); }

  void touch(const std::string& name) { std::ofstream(folder_ + "/" + name) << "x"; }

  const std::string folder_ = testing::TempDir() + "gpuio_folder_" +
                              testing::UnitTest::GetInstance()->current_test_info()->name() +
                              std::to_string(::getpid());
};

TEST_F(SafetensorsFolder, TakesAFileAsItIsEvenIfMissing) {
  EXPECT_THAT(find_model("a.safetensors")->files, ElementsAre("a.safetensors"));
  EXPECT_THAT(find_model("sim://m/?seed=1")->files, ElementsAre("sim://m/?seed=1"));
}

TEST_F(SafetensorsFolder, KnowsAnIndexByItsName) {
  EXPECT_EQ(find_model("x/model.safetensors.index.json")->index, "x/model.safetensors.index.json");
  EXPECT_EQ(find_model("sim://m.safetensors.index.json?seed=1")->index, "sim://m.safetensors.index.json?seed=1");
}

TEST_F(SafetensorsFolder, PrefersTheIndexToTheFiles) {
  touch("one.safetensors");
  touch("m.safetensors.index.json");
  EXPECT_EQ(find_model(folder_)->index, folder_ + "/m.safetensors.index.json");
  EXPECT_TRUE(find_model(folder_)->files.empty());
}

TEST_F(SafetensorsFolder, TakesAllFilesInOrderWithoutAnIndex) {
  touch("b.safetensors");
  touch("a.safetensors");
  touch("config.json");
  EXPECT_THAT(find_model("file://" + folder_ + "/")->files,
              ElementsAre("file://" + folder_ + "/a.safetensors", "file://" + folder_ + "/b.safetensors"));
}

TEST_F(SafetensorsFolder, AsksWhichOfSeveralIndexesUnlessOneHasTheUsualName) {
  touch("a.safetensors.index.json");
  touch("b.safetensors.index.json");
  const Result<ModelPath> found = find_model(folder_);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), Code::invalid_argument);
  EXPECT_THAT(found.error().to_string(), HasSubstr("a.safetensors.index.json"));
  touch("model.safetensors.index.json");
  EXPECT_EQ(find_model(folder_)->index, folder_ + "/model.safetensors.index.json");
}

TEST_F(SafetensorsFolder, SaysWhenThereIsNothing) {
  const Result<ModelPath> found = find_model(folder_);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), Code::not_found);
  EXPECT_THAT(found.error().to_string(), HasSubstr(folder_));
}

TEST(SafetensorsBeside, KeepsFolderSchemeAndParameters) {
  EXPECT_EQ(beside("i.json", "a.safetensors"), "a.safetensors");
  EXPECT_EQ(beside("/x/i.json", "y/a.safetensors"), "/x/y/a.safetensors");
  EXPECT_EQ(beside("sim://x/i.json?seed=1&path=/tmp", "a.safetensors"), "sim://x/a.safetensors?seed=1&path=/tmp");
}

}  // namespace
}  // namespace gpuio::store
