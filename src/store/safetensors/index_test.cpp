// SPDX-License-Identifier: Apache-2.0
#include "store/safetensors/index.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <ostream>

namespace gpuio::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST(SafetensorsIndex, GivesShardsOnceAndTensorsWithTheirShard) {
  const Index index = parse_index(R"({"metadata":{"total_size":12,"list":[1,{"a":[null,true,-1,0.5]}]},"version":"2",
      "weight_map":{"b":"x/2.safetensors","a":"1.safetensors","c":"x/2.safetensors"}})",
                                  "i")
                          .value();
  EXPECT_THAT(index.shards, ElementsAre("1.safetensors", "x/2.safetensors"));
  EXPECT_THAT(index.tensors, ElementsAre(Pair("a", 0), Pair("b", 1), Pair("c", 1)));
}

struct BrokenIndex {
  const char* label;
  std::string json;
  const char* why;
};

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest looks for this name
void PrintTo(const BrokenIndex& broken, std::ostream* out) { *out << broken.label; }

class SafetensorsBrokenIndex : public testing::TestWithParam<BrokenIndex> {};

TEST_P(SafetensorsBrokenIndex, IsCorruptAndTheMessageNamesTheRule) {
  const Result<Index> index = parse_index(GetParam().json, "m.index.json");
  ASSERT_FALSE(index);
  EXPECT_EQ(index.error().code(), Code::corrupt);
  EXPECT_THAT(index.error().to_string(), HasSubstr(GetParam().why));
  EXPECT_THAT(index.error().to_string(), HasSubstr("file=m.index.json"));
}

std::string map_of(std::string_view pairs) { return fmt::format(R"({{"weight_map":{{{}}}}})", pairs); }

INSTANTIATE_TEST_SUITE_P(
    All, SafetensorsBrokenIndex,
    testing::Values(
        BrokenIndex{"empty", "", "not JSON"}, BrokenIndex{"number", "1", "found a number instead of an object"},
        BrokenIndex{"list", "[]", "found a list instead of an object"},
        BrokenIndex{"cut", R"({"weight_map":{)", "not JSON"},
        BrokenIndex{"zero_byte", std::string("{}\0", 3), "a zero byte"},
        BrokenIndex{"invalid_utf8", map_of("\"\xFF\":\"a.safetensors\""), "not UTF-8"},
        BrokenIndex{"no_map", R"({"metadata":{"weight_map":{"a":"a.safetensors"}}})", "without weight_map"},
        BrokenIndex{"empty_map", map_of(""), "without tensors"},
        BrokenIndex{"map_is_list", R"({"weight_map":["a"]})", "weight_map is a list"},
        BrokenIndex{"map_is_text", R"({"weight_map":"a"})", "weight_map is a string"},
        BrokenIndex{"map_twice", R"({"weight_map":{"a":"a.safetensors"},"weight_map":{}})", "occurs twice"},
        BrokenIndex{"name_twice", map_of(R"("a":"a.safetensors","a":"b.safetensors")"), "tensor=a"},
        BrokenIndex{"shard_is_number", map_of(R"("a":1)"), "found a number instead of a shard's path"},
        BrokenIndex{"shard_is_object", map_of(R"("a":{})"), "found an object instead of a shard's path"},
        BrokenIndex{"shard_is_list", map_of(R"("a":[])"), "found a list instead of a shard's path"},
        BrokenIndex{"long_name", map_of('"' + std::string(2000, 'n') + R"(":"a.safetensors")"), "a name longer"},
        BrokenIndex{"deep", R"({"metadata":)" + std::string(100, '[') + std::string(100, ']') + "}", "deeper"},
        BrokenIndex{"shard_outside", map_of(R"("a":"../a.safetensors")"), "in the index's folder"},
        BrokenIndex{"shard_absolute", map_of(R"("a":"/a.safetensors")"), "in the index's folder"}),
    [](const auto& test) { return test.param.label; });

TEST(SafetensorsIndex, ContainsOnlyPathsThatStayBelowTheirFolder) {
  for (const char* path : {"a.safetensors", "x/a.safetensors", "x/y z/..a.safetensors", "...safetensors"}) {
    EXPECT_TRUE(is_contained(path)) << path;
  }
  for (const char* path : {"", "..", "../a.safetensors", "x/../../a.safetensors", "x/./a.safetensors", "/a.safetensors",
                           "x//a.safetensors", "file:///a.safetensors", "a.safetensors/", "a.bin",
                           "x\\..\\a.safetensors", "a\n.safetensors", "a?cache=direct.safetensors",
                           "%2e%2e/a.safetensors", "a#.safetensors", ".safetensors", "x/.safetensors"}) {
    EXPECT_FALSE(is_contained(path)) << path;
  }
  EXPECT_FALSE(is_contained(std::string(5000, 'a') + ".safetensors"));
}

}  // namespace
}  // namespace gpuio::store
