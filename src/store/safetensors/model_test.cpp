// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>

#include "store/safetensors/model_testing.h"

namespace gpuio::store {
namespace {

using safetensors::Loaded;
using safetensors::Model;
using safetensors::Selection;
using testing::ElementsAre;
using testing::HasSubstr;

class SafetensorsModel : public testing::Test {
 protected:
  Result<Model> open(const std::string& path) { return Model::open(context_, path); }

  const TempFolder folder_;
  const Context context_ = Context::create().value();
  const Device host_ = context_.device("host").value();
};

void expect_aligned(const Loaded& loaded) {
  for (const auto& tensor : loaded.tensors) {
    if (tensor.bytes.size() == 0) continue;
    const auto address = reinterpret_cast<std::uintptr_t>(tensor.bytes.data());
    EXPECT_EQ(address % std::max(safetensors::bits(tensor.info.dtype) / 8, 1U), 0U) << tensor.info.name;
  }
}

TEST_F(SafetensorsModel, FiftyRandomFilesArriveWholeAndAligned) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    base::Random random(seed);
    const std::vector<TestTensor> tensors = random_tensors(random, random.uniform(60), "t");
    const std::string path = folder_.write("m.safetensors", file_of(tensors, random.uniform(9)));
    const Model model = open(path).value();
    const Loaded loaded = model.load(host_).value();
    ASSERT_TRUE(loaded.request.wait().ok()) << loaded.request.status().to_string() << " seed=" << seed;
    ASSERT_EQ(loaded.tensors.size(), tensors.size());
    for (const auto& tensor : loaded.tensors) {
      const std::size_t i = std::stoul(tensor.info.name.substr(1));
      ASSERT_EQ(safetensors::to_string(tensor.info.dtype), tensors[i].dtype);
      ASSERT_EQ(tensor.info.shape, tensors[i].shape);
      ASSERT_EQ(text_of(tensor.bytes), tensors[i].bytes) << tensor.info.name << " seed=" << seed;
    }
    expect_aligned(loaded);
    EXPECT_THAT(model.metadata(), ElementsAre(testing::Pair("made", "by a test")));
  }
}

TEST_F(SafetensorsModel, RandomRowsOfRandomTensorsArrive) {
  base::Random random(11);
  const std::vector<TestTensor> tensors = random_tensors(random, 100, "t");
  const Model model = open(folder_.write("m.safetensors", file_of(tensors))).value();
  std::vector<Selection> selections;
  std::vector<std::string> expected;
  while (selections.size() < 200) {
    const TestTensor& tensor = tensors[random.uniform(tensors.size())];
    if (tensor.shape.empty() || tensor.shape[0] == 0) continue;
    const std::uint64_t begin = random.uniform(tensor.shape[0] + 1);
    const std::uint64_t end = begin + random.uniform(tensor.shape[0] - begin + 1);
    const std::uint64_t row_bytes = tensor.bytes.size() / tensor.shape[0];
    selections.push_back({tensor.name, begin, end});
    expected.push_back(tensor.bytes.substr(begin * row_bytes, (end - begin) * row_bytes));
  }
  const Loaded loaded = model.load(host_, selections).value();
  ASSERT_TRUE(loaded.request.wait().ok()) << loaded.request.status().to_string();
  ASSERT_EQ(loaded.tensors.size(), selections.size());
  for (std::size_t i = 0; i < selections.size(); ++i) {
    ASSERT_EQ(loaded.tensors[i].info.name, selections[i].name);
    ASSERT_EQ(loaded.tensors[i].info.shape[0], selections[i].end - selections[i].begin);
    ASSERT_EQ(text_of(loaded.tensors[i].bytes), expected[i]) << selections[i].name;
  }
  expect_aligned(loaded);
}

TEST_F(SafetensorsModel, WholeFileKeepsItsOrderSoThatOneTransferLoadsIt) {
  const std::vector<TestTensor> tensors{{"a", "F64", {2}, std::string(16, 'a')},
                                        {"b", "F32", {1}, std::string(4, 'b')},
                                        {"c", "U8", {3}, std::string(3, 'c')}};
  const Loaded loaded = open(folder_.write("m.safetensors", file_of(tensors)))->load(host_).value();
  ASSERT_TRUE(loaded.request.wait().ok());
  const std::byte* first = loaded.tensors[0].bytes.data();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 256, 0U);
  EXPECT_EQ(loaded.tensors[1].bytes.data(), first + 16);
  EXPECT_EQ(loaded.tensors[2].bytes.data(), first + 20);
}

TEST_F(SafetensorsModel, EveryRunBeginsAtTheAlignmentAskedFor) {
  base::Random random(3);
  const std::vector<TestTensor> tensors{{"a", "U8", {100}, random_bytes(random, 100)},
                                        {"gap", "U8", {1}, "x"},
                                        {"b", "U8", {100}, random_bytes(random, 100)}};
  const Model model = open(folder_.write("m.safetensors", file_of(tensors))).value();
  for (const std::uint64_t alignment : {8U, 4096U, 2U << 20}) {
    const std::vector<Selection> selections{{"b"}, {"a"}};
    const Loaded loaded = model.load(host_, selections, {.transfer = {}, .alignment_bytes = alignment}).value();
    ASSERT_TRUE(loaded.request.wait().ok());
    EXPECT_EQ(text_of(loaded.tensors[0].bytes), tensors[2].bytes);
    EXPECT_EQ(text_of(loaded.tensors[1].bytes), tensors[0].bytes);
    for (const auto& tensor : loaded.tensors) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % alignment, 0U);
    }
  }
  for (const std::uint64_t alignment : {0U, 4U, 24U, 4U << 20}) {
    EXPECT_EQ(model.load(host_, {.transfer = {}, .alignment_bytes = alignment}).error().code(), Code::invalid_argument);
  }
}

TEST_F(SafetensorsModel, ReadsHeadersThatDoNotFitTheFirstRead) {
  std::vector<TestTensor> tensors;
  for (int i = 0; i < 3000; ++i)
    tensors.push_back({fmt::format("tensor.{}", i), "U8", {1}, std::string(1, static_cast<char>(i))});
  const Model model = open(folder_.write("m.safetensors", file_of(tensors))).value();
  EXPECT_EQ(model.tensors().size(), 3000U);
  const Loaded loaded = model.load(host_).value();
  ASSERT_TRUE(loaded.request.wait().ok());
  EXPECT_EQ(text_of(loaded.tensors[2999].bytes), tensors[2999].bytes);
}

TEST_F(SafetensorsModel, LoadsTensorsWithoutBytes) {
  const Model model = open(folder_.write("m.safetensors", file_of({{"none", "F32", {0, 3}, ""}}))).value();
  const Loaded loaded = model.load(host_).value();
  EXPECT_TRUE(loaded.request.wait().ok());
  EXPECT_EQ(loaded.tensors.at(0).bytes.size(), 0U);
  EXPECT_THAT(loaded.tensors.at(0).info.shape, ElementsAre(0, 3));
}

TEST_F(SafetensorsModel, SaysWhichTensorIsMissingAndWhichIsNear) {
  const Model model =
      open(folder_.write("m.safetensors", file_of({{"layer.weight", "U8", {4, 2}, "abcdefgh"}}))).value();
  const auto refuse = [&](const Selection& selection, Code code, std::string_view why) {
    const Result<Loaded> loaded = model.load(host_, {&selection, 1});
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code(), code);
    EXPECT_THAT(loaded.error().to_string(), HasSubstr(why));
  };
  refuse({"layer.wieght"}, Code::not_found, "tensor=layer.wieght nearest=layer.weight");
  refuse({"layer.weight", 0, 5}, Code::out_of_range, "begin=0 end=5 rows=4");
  refuse({"layer.weight", 3, 2}, Code::out_of_range, "begin=3 end=2 rows=4");
  refuse({"layer.weight", 5}, Code::out_of_range, "begin=5 end=4 rows=4");
  EXPECT_EQ(model.load(host_, std::span<const Selection>()).error().code(), Code::invalid_argument);
  EXPECT_EQ(model.find("layer"), nullptr);
}

TEST_F(SafetensorsModel, CutsPackedElementsAtWholeBytesOnly) {
  const Model model =
      open(folder_.write("m.safetensors", file_of({{"p", "F4", {4, 3}, "abcdef"}, {"s", "U8", {}, "x"}}))).value();
  const std::vector<Selection> pair{{"p", 2, 4}};
  const Loaded loaded = model.load(host_, pair).value();
  ASSERT_TRUE(loaded.request.wait().ok());
  EXPECT_EQ(text_of(loaded.tensors[0].bytes), "def");
  const std::vector<Selection> odd{{"p", 1, 3}};
  EXPECT_EQ(model.load(host_, odd).error().code(), Code::invalid_argument);
  const std::vector<Selection> scalar{{"s", 0, 1}};
  EXPECT_EQ(model.load(host_, scalar).error().code(), Code::out_of_range);
}

class SafetensorsShards : public SafetensorsModel {
 protected:
  std::string write_index(const std::string& map) {
    return folder_.write("model.safetensors.index.json", R"({"metadata":{"total_size":1},"weight_map":{)" + map + "}}");
  }
};

TEST_F(SafetensorsShards, LoadAsOneRequest) {
  base::Random random(5);
  std::vector<TestTensor> all;
  std::string map;
  for (int shard = 0; shard < 4; ++shard) {
    const std::vector<TestTensor> tensors = random_tensors(random, 20, fmt::format("{}.", shard));
    const std::string name = fmt::format("model-{}.safetensors", shard);
    EXPECT_FALSE(folder_.write(name, file_of(tensors)).empty());
    for (const TestTensor& tensor : tensors) {
      map += fmt::format(R"({}"{}":"{}")", map.empty() ? "" : ",", tensor.name, name);
      all.push_back(tensor);
    }
  }
  const std::string index = write_index(map);
  for (const std::string& path : {folder_.path(), index, "file://" + index}) {
    const Model model = open(path).value();
    EXPECT_EQ(model.files().size(), 4U);
    const Loaded loaded = model.load(host_).value();
    ASSERT_TRUE(loaded.request.wait().ok()) << loaded.request.status().to_string();
    ASSERT_EQ(loaded.tensors.size(), all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto* info = model.find(all[i].name);
      ASSERT_NE(info, nullptr);
      const auto position = static_cast<std::size_t>(info - model.tensors().data());
      ASSERT_EQ(text_of(loaded.tensors[position].bytes), all[i].bytes) << all[i].name;
    }
    expect_aligned(loaded);
  }
}

TEST_F(SafetensorsShards, WithoutAnIndexAllFilesOfTheFolderAreTheModel) {
  EXPECT_FALSE(folder_.write("a.safetensors", file_of({{"one", "U8", {1}, "1"}})).empty());
  EXPECT_FALSE(folder_.write("b.safetensors", file_of({{"two", "U8", {1}, "2"}})).empty());
  const Model model = open(folder_.path()).value();
  EXPECT_EQ(model.tensors().size(), 2U);
  EXPECT_EQ(model.find("two")->file, 1U);
  EXPECT_EQ(model.size_bytes(), 2U);
}

TEST_F(SafetensorsShards, AreRefusedWhereIndexAndFilesDisagree) {
  EXPECT_FALSE(folder_.write("a.safetensors", file_of({{"one", "U8", {1}, "1"}})).empty());
  EXPECT_FALSE(folder_.write("b.safetensors", file_of({{"two", "U8", {1}, "2"}})).empty());
  EXPECT_FALSE(folder_.write("c.safetensors", file_of({{"one", "U8", {1}, "3"}})).empty());
  const auto refuse = [&](const std::string& map, Code code, std::string_view why) {
    const Result<Model> model = open(write_index(map));
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().code(), code) << model.error().to_string();
    EXPECT_THAT(model.error().to_string(), HasSubstr(why));
  };
  refuse(R"("one":"a.safetensors","two":"a.safetensors")", Code::corrupt, "tensor=two shard=a.safetensors");
  refuse(R"("one":"b.safetensors","two":"a.safetensors")", Code::corrupt, "tensor=one shard=b.safetensors");
  refuse(R"("one":"a.safetensors","x":"missing.safetensors")", Code::not_found, "missing.safetensors");
  refuse(R"("one":"a.safetensors","two":"c.safetensors")", Code::corrupt, "same name tensor=one");
  refuse(R"("one":"../a.safetensors")", Code::corrupt, "shard=../a.safetensors");
}

TEST_F(SafetensorsModel, RefusesFilesThatAreNone) {
  const auto refuse = [&](const std::string& path, Code code) {
    const Result<Model> model = open(path);
    ASSERT_FALSE(model) << path;
    EXPECT_EQ(model.error().code(), code) << model.error().to_string();
    EXPECT_THAT(model.error().to_string(), HasSubstr(path));
  };
  refuse(folder_.path(), Code::not_found);
  refuse(folder_.file("missing.safetensors"), Code::not_found);
  refuse(folder_.write("empty.safetensors", ""), Code::corrupt);
  refuse(folder_.write("short.safetensors", "1234567"), Code::corrupt);
  refuse(folder_.write("text.safetensors", "this is no model but a text"), Code::corrupt);
  refuse(folder_.write("x.safetensors.index.json", ""), Code::corrupt);
  refuse(folder_.write("y.safetensors.index.json", "{}"), Code::corrupt);
}

TEST_F(SafetensorsModel, RefusesAFileCutAtAnyByte) {
  const std::string whole = file_of({{"a", "F32", {2}, "12345678"}, {"b", "U8", {3}, "abc"}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Result<Model> model = open(folder_.write("m.safetensors", whole.substr(0, size)));
    ASSERT_FALSE(model) << size;
    ASSERT_EQ(model.error().code(), Code::corrupt) << model.error().to_string();
  }
}

TEST_F(SafetensorsModel, FailsTheLoadWhereTheFileWasCutAfterOpening) {
  const std::string path = folder_.write("m.safetensors", file_of({{"a", "U8", {200'000}, std::string(200'000, 'a')}}));
  const Model model = open(path).value();
  std::filesystem::resize_file(path, 100'000);
  const Result<Loaded> loaded = model.load(host_);
  const Status status = loaded ? loaded->request.wait() : loaded.error();
  EXPECT_TRUE(status.code() == Code::end_of_file || status.code() == Code::out_of_range) << status.to_string();
}

// tools/fetch_model gets it: all-MiniLM-L6-v2.
TEST_F(SafetensorsModel, LoadsARealModel) {
  const char* path = std::getenv("GPUIO_TEST_MODEL");
  if (path == nullptr) GTEST_SKIP() << "GPUIO_TEST_MODEL names no model.safetensors";
  const std::string file = contents(path);
  const Model model = open(path).value();
  const auto* embeddings = model.find("embeddings.word_embeddings.weight");
  ASSERT_NE(embeddings, nullptr);
  EXPECT_THAT(embeddings->shape, ElementsAre(30522, 384));
  const Loaded loaded = model.load(host_).value();
  ASSERT_TRUE(loaded.request.wait().ok()) << loaded.request.status().to_string();
  for (const auto& tensor : loaded.tensors) {
    const std::string_view expected =
        std::string_view(file).substr(tensor.info.extent.offset, tensor.info.extent.length);
    ASSERT_TRUE(text_of(tensor.bytes) == expected) << tensor.info.name;
  }
  expect_aligned(loaded);
}

}  // namespace
}  // namespace gpuio::store
