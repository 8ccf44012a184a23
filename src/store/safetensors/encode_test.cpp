// SPDX-License-Identifier: Apache-2.0
#include "store/safetensors/encode.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "store/safetensors/header.h"

namespace gpuio::store {
namespace {

using safetensors::Dtype;
using safetensors::TensorInfo;
using testing::HasSubstr;

TensorInfo tensor(std::string name, Dtype dtype, std::vector<std::uint64_t> shape, std::uint64_t bytes) {
  return {std::move(name), dtype, std::move(shape), 0, {0, bytes}};
}

std::string file_of_corpus(const std::string& name) {
  std::ifstream file(std::string(GPUIO_CORPUS) + "/" + name, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

// The file was written by the format's own package, version 0.8.0; its tensors' bytes all are zero.
TEST(SafetensorsEncode, WritesTheSameBytesAsTheReferenceWriter) {
  const std::string reference = file_of_corpus("reference_writer");
  const Encoded encoded = encode_header({tensor("b.f16", Dtype::f16, {2, 3}, 12), tensor("a.f16", Dtype::f16, {1}, 2),
                                         tensor("z.i64", Dtype::i64, {}, 8), tensor("flag", Dtype::boolean, {3}, 3),
                                         tensor("f32 \"\u00e9\"\n", Dtype::f32, {1, 0, 4}, 0),
                                         tensor("f64", Dtype::f64, {2}, 16), tensor("u8", Dtype::u8, {5}, 5),
                                         tensor("bf16", Dtype::bf16, {2}, 4), tensor("c64", Dtype::c64, {1}, 8)},
                                        {{"format", "pt\t\x01"}})
                              .value();
  EXPECT_EQ(encoded.head, reference.substr(0, encoded.head.size()));
  EXPECT_EQ(encoded.file_bytes, reference.size());
}

TEST(SafetensorsEncode, PutsTensorsBackToBackAfterAHeaderOfWholeWords) {
  const Encoded encoded = encode_header({tensor("u", Dtype::u8, {3}, 3), tensor("d", Dtype::f64, {1}, 8)}, {}).value();
  EXPECT_EQ(encoded.head.size() % 8, 0U);
  EXPECT_EQ(encoded.tensors[1].extent, (Extent{encoded.head.size(), 8}));
  EXPECT_EQ(encoded.tensors[0].extent, (Extent{encoded.head.size() + 8, 3}));
  EXPECT_EQ(encoded.file_bytes, encoded.head.size() + 11);
}

TEST(SafetensorsEncode, CanBeReadAgainWhateverNamesAndMetadataHold) {
  const std::string odd = "\"\\/\b\f\n\r\t\x01\x1f\x7f \u00e9\U0001F600";
  const Encoded encoded =
      encode_header({tensor(odd, Dtype::u8, {1}, 1)}, {{odd, odd}, {"", std::string(1, '\0')}}).value();
  const Header header =
      parse_header(std::string_view(encoded.head).substr(kPrefixBytes), encoded.file_bytes, "f").value();
  EXPECT_EQ(header.tensors.at(0).name, odd);
  EXPECT_EQ(header.metadata.at(odd), odd);
  EXPECT_EQ(header.metadata.at(""), std::string(1, '\0'));
}

TEST(SafetensorsEncode, WritesAFileWithoutTensors) {
  EXPECT_EQ(encode_header({}, {})->head, std::string("\x08\0\0\0\0\0\0\0{}      ", 16));
}

TEST(SafetensorsEncode, RefusesWhatTheParserWouldRefuse) {
  const auto refuse = [](std::vector<TensorInfo> tensors, std::string_view why) {
    const Result<Encoded> encoded = encode_header(std::move(tensors), {});
    ASSERT_FALSE(encoded);
    EXPECT_EQ(encoded.error().code(), Code::invalid_argument);
    EXPECT_THAT(encoded.error().to_string(), HasSubstr(why));
  };
  refuse({tensor("t", Dtype::u8, {1}, 1), tensor("t", Dtype::f32, {1}, 4)}, "a name occurs twice tensor=t");
  refuse({tensor("t", Dtype::f32, {2}, 7)}, "hold 7 bytes, dtype and shape need 8 tensor=t");
  refuse({tensor("t", Dtype::f4, {3}, 1)}, "whole bytes");
  refuse({tensor("t", Dtype::u8, std::vector<std::uint64_t>(65, 1), 1)}, "more than 64 dimensions");
  refuse({tensor(std::string(1025, 'n'), Dtype::u8, {1}, 1)}, "a name longer than 1024 bytes");
  refuse({tensor("\xff", Dtype::u8, {1}, 1)}, "not UTF-8");
  refuse({tensor("__metadata__", Dtype::u8, {1}, 1)}, "__metadata__");
  const std::uint64_t huge = ~std::uint64_t{0} / 8 - 1;
  std::vector<TensorInfo> many;
  for (int i = 0; i < 9; ++i) many.push_back(tensor(std::to_string(i), Dtype::u8, {huge}, huge));
  refuse(std::move(many), "overflow 64 bits");
}

TEST(SafetensorsEncode, RefusesAHeaderOverTheLimit) {
  const Result<Encoded> encoded = encode_header({}, {{"long", std::string(kHeaderBytesMax, 'x')}});
  ASSERT_FALSE(encoded);
  EXPECT_EQ(encoded.error().code(), Code::invalid_argument);
}

}  // namespace
}  // namespace gpuio::store
