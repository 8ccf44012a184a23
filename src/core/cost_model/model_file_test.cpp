// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/testing/temporary_folder.h"
#include "core/cost_model/cost_model.h"
#include "core/cost_model/example_model.h"
#include "core/cost_model/fingerprint.h"
#include "core/cost_model/streamed_bytes.h"

namespace gpuio::core {
namespace {

namespace fs = std::filesystem;

class CostModelFile : public testing::Test {
 protected:
  void SetUp() override {
    file_ = (folder_ / "a" / "b" / "model.json").string();
    model_ = example_model();
    model_.machine = this_machine();
    ASSERT_TRUE(settings_.set("core.cost_model", file_).ok());
  }
  void TearDown() override { streamed_bytes_setting() = kStreamedBytesMin; }

  [[nodiscard]] Finding finding() const { return Costs::load(settings_)->finding(); }

  const base::testing::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
  std::string file_;
  CostModel model_;
  Settings settings_;
};

TEST_F(CostModelFile, IsWrittenWithTheFoldersAboveAndReadBack) {
  ASSERT_TRUE(model_.save(file_).ok());
  const Result<CostModel> again = CostModel::load(file_);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(again->to_json(), model_.to_json());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "a" / "b"), fs::directory_iterator()), 1);
}

TEST_F(CostModelFile, TakesThePlaceOfTheOldOneAndOthersMayReadIt) {
  ASSERT_TRUE(model_.save(file_).ok());
  model_.measured_at = "later";
  ASSERT_TRUE(model_.save(file_).ok());
  EXPECT_EQ(CostModel::load(file_)->measured_at, "later");
  struct stat status{};
  ASSERT_EQ(::stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0644U);
}

TEST_F(CostModelFile, ThatCanNotBeWrittenLeavesTheOldOneAndNoLitter) {
  fs::create_directories(file_);  // a folder in its place
  EXPECT_FALSE(model_.save(file_).ok());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "a" / "b"), fs::directory_iterator()), 1);
  EXPECT_EQ(model_.save("").code(), Code::invalid_argument);
  std::ofstream(folder_ / "plain") << "x";
  EXPECT_FALSE(model_.save((folder_ / "plain" / "model.json").string()).ok());
}

TEST_F(CostModelFile, OfAnotherMachineIsRefusedWithAHint) {
  model_.machine.processor = "Another";
  ASSERT_TRUE(model_.save(file_).ok());
  const Result<CostModel> loaded = CostModel::load(file_);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code(), Code::unsupported);
  const std::string text = loaded.error().to_string();
  EXPECT_NE(text.find("'Another' in the model"), std::string::npos) << text;
  EXPECT_NE(text.find("run 'gpuio calibrate'"), std::string::npos) << text;
  EXPECT_NE(text.find("file=" + file_), std::string::npos) << text;
}

TEST_F(CostModelFile, ThatIsDamagedOrHugeIsRefusedWithAHint) {
  ASSERT_TRUE(model_.save(file_).ok());
  std::ofstream(file_, std::ios::app) << "}";
  const Result<CostModel> loaded = CostModel::load(file_);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code(), Code::corrupt);
  EXPECT_NE(loaded.error().to_string().find("run 'gpuio calibrate'"), std::string::npos);
  std::ofstream(file_) << std::string((1U << 20U) + 1, ' ');
  EXPECT_EQ(CostModel::load(file_).error().code(), Code::corrupt);
}

TEST_F(CostModelFile, IsWhereTheSettingOrTheCacheFolderSays) {
  EXPECT_EQ(CostModel::path_of(settings_), file_);
  ASSERT_TRUE(settings_.set("core.cost_model", "off").ok());
  EXPECT_EQ(CostModel::path_of(settings_), "");
  ASSERT_TRUE(settings_.set("core.cost_model", "").ok());
  const char* const set = std::getenv("XDG_CACHE_HOME");
  const std::string before = set == nullptr ? "" : set;
  ::setenv("XDG_CACHE_HOME", "/cache", 1);
  EXPECT_EQ(CostModel::path_of(settings_), "/cache/gpuio/cost_model.json");
  ::unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(CostModel::path_of(settings_), std::string(std::getenv("HOME")) + "/.cache/gpuio/cost_model.json");
  ::setenv("XDG_CACHE_HOME", before.c_str(), 1);
}

TEST_F(CostModelFile, DoctorSaysWhichModelIsUsed) {
  EXPECT_EQ(finding().level, Finding::Level::note);
  EXPECT_EQ(finding().fix, "gpuio calibrate");
  ASSERT_TRUE(model_.save(file_).ok());
  EXPECT_EQ(finding().level, Finding::Level::ok);
  EXPECT_NE(finding().text.find("measured at 2026-03-01T12:00:00Z (quick)"), std::string::npos) << finding().text;
  EXPECT_NE(finding().text.find(file_), std::string::npos);
  std::ofstream(file_) << "nonsense";
  EXPECT_EQ(finding().level, Finding::Level::warning);
  EXPECT_NE(finding().text.find("not JSON"), std::string::npos) << finding().text;
  ASSERT_TRUE(settings_.set("core.cost_model", "off").ok());
  EXPECT_EQ(finding().level, Finding::Level::note);
  EXPECT_EQ(finding().fix, "");
}

TEST_F(CostModelFile, SetsFromWhereHostCopiesPassTheCaches) {
  ASSERT_TRUE(model_.save(file_).ok());
  (void)Costs::load(settings_);
  EXPECT_EQ(streamed_bytes_min(), model_.thresholds().streamed_copy_bytes_min);
  model_.processor.streaming = {{8ULL << 20U, 1, 2}};
  ASSERT_TRUE(model_.save(file_).ok());
  (void)Costs::load(settings_);
  EXPECT_EQ(streamed_bytes_min(), 8U << 20U);
}

}  // namespace
}  // namespace gpuio::core
