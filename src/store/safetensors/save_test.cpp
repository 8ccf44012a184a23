// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <algorithm>

#include "store/safetensors/model_testing.h"

namespace gpuio::store {
namespace {

using safetensors::Dtype;
using safetensors::Loaded;
using safetensors::Model;
using safetensors::SaveTensor;
using testing::HasSubstr;

class SafetensorsSave : public testing::Test {
 protected:
  const TempFolder folder_;
  const std::string path_ = folder_.file("saved.safetensors");
  const Context context_ = Context::create().value();
  const Device host_ = context_.device("host").value();
};

TEST_F(SafetensorsSave, WhatWasLoadedFromRandomFilesComesBack) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    base::Random random(seed);
    const std::string source = folder_.write("source.safetensors", file_of(random_tensors(random, 30, "t")));
    const Loaded loaded = Model::open(context_, source)->load(host_).value();
    ASSERT_TRUE(loaded.request.wait().ok());
    std::vector<SaveTensor> tensors;
    for (const auto& tensor : loaded.tensors) {
      tensors.push_back({tensor.info.name, tensor.info.dtype, tensor.info.shape, tensor.bytes});
    }
    const Status saved = safetensors::save(context_, path_, tensors, {{"seed", std::to_string(seed)}});
    ASSERT_TRUE(saved.ok()) << saved.to_string();

    const Model model = Model::open(context_, path_).value();
    const Loaded again = model.load(host_).value();
    ASSERT_TRUE(again.request.wait().ok());
    ASSERT_EQ(again.tensors.size(), loaded.tensors.size());
    for (const auto& tensor : again.tensors) {
      const std::size_t i = static_cast<std::size_t>(
          std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == tensor.info.name; }) -
          tensors.begin());
      ASSERT_LT(i, tensors.size());
      ASSERT_EQ(tensor.info.shape, tensors[i].shape);
      ASSERT_EQ(text_of(tensor.bytes), text_of(tensors[i].bytes)) << "seed=" << seed << " " << tensor.info.name;
    }
    EXPECT_EQ(model.metadata().at("seed"), std::to_string(seed));
  }
}

TEST_F(SafetensorsSave, ReplacesTheFileAndLeavesNothingBeside) {
  const Buffer first = host_buffer(context_, "old!");
  const Buffer second = host_buffer(context_, "new bytes");
  const std::vector<SaveTensor> old{{"t", Dtype::u8, {4}, first}};
  const std::vector<SaveTensor> replacement{{"t", Dtype::u8, {9}, second}};
  ASSERT_TRUE(safetensors::save(context_, path_, old).ok());
  ASSERT_TRUE(safetensors::save(context_, path_, replacement).ok());
  EXPECT_TRUE(contents(path_).ends_with("new bytes"));
  EXPECT_EQ(folder_.entries(), 1U);
}

TEST_F(SafetensorsSave, RefusedTensorsLeaveTheFileAsItWas) {
  const Buffer bytes = host_buffer(context_, "12345678");
  const std::vector<SaveTensor> good{{"t", Dtype::u8, {8}, bytes}};
  ASSERT_TRUE(safetensors::save(context_, path_, good).ok());
  const std::string before = contents(path_);
  const auto refuse = [&](const std::vector<SaveTensor>& tensors, std::string_view why) {
    const Status status = safetensors::save(context_, path_, tensors);
    EXPECT_EQ(status.code(), Code::invalid_argument);
    EXPECT_THAT(status.to_string(), HasSubstr(why));
    EXPECT_EQ(contents(path_), before);
    EXPECT_EQ(folder_.entries(), 1U);
  };
  refuse({{"t", Dtype::u8, {8}, bytes}, {"t", Dtype::u8, {8}, bytes}}, "a name occurs twice");
  refuse({{"t", Dtype::f32, {3}, bytes}}, "need 12");
  refuse({{"\xff", Dtype::u8, {8}, bytes}}, "UTF-8");
}

TEST_F(SafetensorsSave, AFreedBufferIsStaleAndTheFileAsItWas) {
  Buffer bytes = host_buffer(context_, "12345678");
  const std::vector<SaveTensor> tensors{{"t", Dtype::u8, {8}, bytes}};
  ASSERT_TRUE(safetensors::save(context_, path_, tensors).ok());
  const std::string before = contents(path_);
  ASSERT_TRUE(bytes.free().ok());
  EXPECT_EQ(safetensors::save(context_, path_, tensors).code(), Code::stale);
  EXPECT_EQ(contents(path_), before);
  EXPECT_EQ(folder_.entries(), 1U);
}

TEST_F(SafetensorsSave, AMissingFolderIsNotFound) {
  const std::vector<SaveTensor> none;
  EXPECT_EQ(safetensors::save(context_, folder_.file("no/such.safetensors"), none).code(), Code::not_found);
}

TEST_F(SafetensorsSave, WritesModelsWithoutBytes) {
  ASSERT_TRUE(safetensors::save(context_, path_, {}).ok());
  EXPECT_EQ(contents(path_), std::string("\x08\0\0\0\0\0\0\0{}      ", 16));
  EXPECT_TRUE(Model::open(context_, path_)->tensors().empty());
}

}  // namespace
}  // namespace gpuio::store
