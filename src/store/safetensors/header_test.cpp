// SPDX-License-Identifier: Apache-2.0
#include "store/safetensors/header.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <ctime>
#include <ostream>
#include <string>

#include "store/safetensors/dtype.h"

namespace gpuio::store {
namespace {

using safetensors::Dtype;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint64_t kDataBytes = 16;

Result<Header> parse(std::string_view json, std::uint64_t data_bytes = kDataBytes) {
  return parse_header(json, kPrefixBytes + json.size() + data_bytes, "m.safetensors");
}

std::array<std::byte, kPrefixBytes> prefix_of(std::uint64_t length) {
  std::array<std::byte, kPrefixBytes> prefix{};
  for (std::size_t i = 0; i < prefix.size(); ++i) prefix[i] = static_cast<std::byte>(length >> (8 * i));
  return prefix;
}

std::string u8_tensor(std::string_view name, std::uint64_t begin, std::uint64_t end) {
  return fmt::format(R"("{}":{{"dtype":"U8","shape":[{}],"data_offsets":[{},{}]}})", name, end - begin, begin, end);
}

TEST(SafetensorsHeader, GivesTensorsByOffsetWithExtentsInTheFile) {
  const std::string json = R"({"b":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]},)"
                           R"("a":{"data_offsets":[0,8],"shape":[],"dtype":"I64"},"__metadata__":{"format":"pt"}}  )";
  const Header header = parse(json).value();
  ASSERT_EQ(header.tensors.size(), 2U);
  EXPECT_EQ(header.tensors[0].name, "a");
  EXPECT_EQ(header.tensors[0].dtype, Dtype::i64);
  EXPECT_TRUE(header.tensors[0].shape.empty());
  EXPECT_EQ(header.tensors[0].extent, (Extent{kPrefixBytes + json.size(), 8}));
  EXPECT_EQ(header.tensors[1].name, "b");
  EXPECT_THAT(header.tensors[1].shape, ElementsAre(1, 2));
  EXPECT_EQ(header.tensors[1].extent, (Extent{kPrefixBytes + json.size() + 8, 8}));
  EXPECT_THAT(header.metadata, ElementsAre(testing::Pair("format", "pt")));
}

TEST(SafetensorsHeader, AcceptsEveryDtypeOfTheFormat) {
  for (unsigned i = 0; i <= static_cast<unsigned>(Dtype::u64); ++i) {
    const auto dtype = static_cast<Dtype>(i);
    const std::string json = fmt::format(R"({{"t":{{"dtype":"{}","shape":[8],"data_offsets":[0,{}]}}}})",
                                         safetensors::to_string(dtype), safetensors::bits(dtype));
    const Result<Header> header = parse(json, safetensors::bits(dtype));
    ASSERT_TRUE(header) << header.error().to_string();
    EXPECT_EQ(header->tensors[0].dtype, dtype);
  }
}

TEST(SafetensorsHeader, OrdersDtypesByAlignment) {
  for (unsigned i = 1; i <= static_cast<unsigned>(Dtype::u64); ++i) {
    EXPECT_LE(alignment_of(static_cast<Dtype>(i - 1)), alignment_of(static_cast<Dtype>(i)));
  }
}

TEST(SafetensorsHeader, AcceptsTensorsWithoutBytesBetweenOthers) {
  const Header header =
      parse("{" + u8_tensor("b", 4, 16) + "," + u8_tensor("none", 4, 4) + "," +
            R"("zero":{"dtype":"F64","shape":[3,0,7],"data_offsets":[16,16]},)" + u8_tensor("a", 0, 4) + "}")
          .value();
  ASSERT_EQ(header.tensors.size(), 4U);
  EXPECT_EQ(header.tensors[1].name, "none");
  EXPECT_EQ(header.tensors[3].name, "zero");
  EXPECT_EQ(header.tensors[3].extent.length, 0U);
}

TEST(SafetensorsHeader, AcceptsFilesWithoutTensorsAndUnusualNames) {
  EXPECT_TRUE(parse("{}", 0)->tensors.empty());
  EXPECT_TRUE(parse(R"({"__metadata__":{}})", 0)->tensors.empty());
  EXPECT_EQ(parse("{" + u8_tensor("", 0, 16) + "}")->tensors[0].name, "");
  EXPECT_EQ(parse("{" + u8_tensor(R"(\u00e9\n\ud83d\ude00)", 0, 16) + "}")->tensors[0].name, "\u00e9\n\U0001F600");
}

TEST(SafetensorsHeader, AcceptsRanksAndNamesUpToTheirLimits) {
  std::string shape = "16";
  for (std::size_t i = 1; i < kRankMax; ++i) shape += ",1";
  EXPECT_TRUE(parse(R"({"t":{"dtype":"U8","data_offsets":[0,16],"shape":[)" + shape + "]}}"));
  EXPECT_FALSE(parse(R"({"t":{"dtype":"U8","data_offsets":[0,16],"shape":[)" + shape + ",1]}}"));
  EXPECT_TRUE(parse("{" + u8_tensor(std::string(kNameBytesMax, 'n'), 0, 16) + "}"));
  EXPECT_FALSE(parse("{" + u8_tensor(std::string(kNameBytesMax + 1, 'n'), 0, 16) + "}"));
}

struct BrokenHeader {
  const char* label;
  std::string json;
  const char* why;  ///< Part of the message.
  std::uint64_t data_bytes = kDataBytes;
};

// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest looks for this name
void PrintTo(const BrokenHeader& broken, std::ostream* out) { *out << broken.label; }

class SafetensorsBrokenHeader : public testing::TestWithParam<BrokenHeader> {};

TEST_P(SafetensorsBrokenHeader, IsCorruptAndTheMessageNamesTheRule) {
  const Result<Header> header = parse(GetParam().json, GetParam().data_bytes);
  ASSERT_FALSE(header);
  EXPECT_EQ(header.error().code(), Code::corrupt);
  EXPECT_THAT(header.error().to_string(), HasSubstr(GetParam().why));
  EXPECT_THAT(header.error().to_string(), HasSubstr("file=m.safetensors"));
}

// A tensor `t` of 16 bytes with one field replaced.
std::string with_dtype(std::string_view value) {
  return fmt::format(R"({{"t":{{"dtype":{},"shape":[16],"data_offsets":[0,16]}}}})", value);
}
std::string with_shape(std::string_view value, std::string_view dtype = "U8") {
  return fmt::format(R"({{"t":{{"dtype":"{}","shape":{},"data_offsets":[0,16]}}}})", dtype, value);
}
std::string with_offsets(std::string_view value) {
  return fmt::format(R"({{"t":{{"dtype":"U8","shape":[16],"data_offsets":{}}}}})", value);
}
std::string whole(std::string_view metadata) {
  return fmt::format(R"({{"__metadata__":{},{}}})", metadata, u8_tensor("t", 0, 16));
}

INSTANTIATE_TEST_SUITE_P(
    Json, SafetensorsBrokenHeader,
    testing::Values(BrokenHeader{"empty", "", "begin with {"}, BrokenHeader{"blank_first", " {}", "begin with {", 0},
                    BrokenHeader{"byte_order_mark", "\xEF\xBB\xBF{}", "begin with {", 0},
                    BrokenHeader{"list", "[]", "begin with {", 0}, BrokenHeader{"unclosed", "{", "not JSON"},
                    BrokenHeader{"cut", with_dtype("\"U8\"").substr(0, 30), "not JSON"},
                    BrokenHeader{"text_after", "{}x", "not JSON", 0},
                    BrokenHeader{"two_objects", "{}{}", "not JSON", 0},
                    BrokenHeader{"comment", "{/**/}", "not JSON", 0},
                    BrokenHeader{"single_quotes", "{'t':1}", "not JSON"},
                    BrokenHeader{"trailing_comma", "{" + u8_tensor("t", 0, 16) + ",}", "not JSON"},
                    BrokenHeader{"zero_padding", std::string("{}\0\0", 4), "a zero byte at 2", 0},
                    BrokenHeader{"zero_in_name", std::string("{\"a\0b\":1}", 9), "a zero byte at 3"},
                    BrokenHeader{"line_break_in_name", "{\"a\nb\":1}", "not JSON"},
                    BrokenHeader{"invalid_utf8", "{" + u8_tensor("\xC3\x28", 0, 16) + "}", "not UTF-8"},
                    BrokenHeader{"overlong_utf8", "{" + u8_tensor("\xC0\xAF", 0, 16) + "}", "not UTF-8"},
                    BrokenHeader{"utf8_surrogate", "{" + u8_tensor("\xED\xA0\x80", 0, 16) + "}", "not UTF-8"},
                    BrokenHeader{"lone_escaped_surrogate", "{" + u8_tensor("\\ud800", 0, 16) + "}", "not JSON"},
                    BrokenHeader{"deep_nesting", R"({"t":)" + std::string(100'000, '['), "found a list"},
                    BrokenHeader{"deep_objects", R"({"t":{"dtype":{"a":{"b":{}}}}})", "found an object"}),
    [](const auto& test) { return test.param.label; });

INSTANTIATE_TEST_SUITE_P(
    Entries, SafetensorsBrokenHeader,
    testing::Values(
        BrokenHeader{"tensor_is_number", R"({"t":1})", "found a number instead of an object with dtype"},
        BrokenHeader{"tensor_is_null", R"({"t":null})", "found null"},
        BrokenHeader{"tensor_is_true", R"({"t":true})", "found true or false"},
        BrokenHeader{"tensor_is_list", R"({"t":[]})", "found a list"},
        BrokenHeader{"tensor_is_empty", R"({"t":{}})", "dtype is missing"},
        BrokenHeader{"no_shape", R"({"t":{"dtype":"U8","data_offsets":[0,16]}})", "shape is missing"},
        BrokenHeader{"no_offsets", R"({"t":{"dtype":"U8","shape":[16]}})", "data_offsets is missing"},
        BrokenHeader{"unknown_field", R"({"t":{"stride":[1]}})", "field=stride"},
        BrokenHeader{"dtype_twice", R"({"t":{"dtype":"U8","dtype":"U8"}})", "dtype occurs twice"},
        BrokenHeader{"shape_twice", R"({"t":{"shape":[1],"shape":[1]}})", "shape occurs twice"},
        BrokenHeader{"offsets_twice", R"({"t":{"data_offsets":[0,1],"data_offsets":[0,1]}})",
                     "data_offsets occurs twice"},
        BrokenHeader{"name_twice", "{" + u8_tensor("t", 0, 8) + "," + u8_tensor("t", 8, 16) + "}",
                     "a name occurs twice"},
        BrokenHeader{"name_twice_by_escape", "{" + u8_tensor("t", 0, 8) + "," + u8_tensor("\\u0074", 8, 16) + "}",
                     "a name occurs twice"},
        BrokenHeader{"dtype_unknown", with_dtype("\"Q4\""), "dtype=Q4"},
        BrokenHeader{"dtype_lower_case", with_dtype("\"u8\""), "dtype=u8"},
        BrokenHeader{"dtype_is_number", with_dtype("8"), "instead of the name of a dtype"},
        BrokenHeader{"metadata_twice", R"({"__metadata__":{},"__metadata__":{}})", "__metadata__ occurs twice"},
        BrokenHeader{"metadata_key_twice", whole(R"({"a":"1","a":"2"})"), "a key of __metadata__ occurs twice"},
        BrokenHeader{"metadata_is_list", whole("[]"), "instead of an object of strings"},
        BrokenHeader{"metadata_is_null", whole("null"), "instead of an object of strings"},
        BrokenHeader{"metadata_number", whole(R"({"a":1})"), "instead of a string as a value"},
        BrokenHeader{"metadata_nested", whole(R"({"a":{}})"), "instead of a string as a value"},
        BrokenHeader{"metadata_list", whole(R"({"a":[]})"), "instead of a string as a value"}),
    [](const auto& test) { return test.param.label; });

INSTANTIATE_TEST_SUITE_P(
    Sizes, SafetensorsBrokenHeader,
    testing::Values(
        BrokenHeader{"shape_is_number", with_shape("16"), "instead of a list of dimensions"},
        BrokenHeader{"shape_nested", with_shape("[[16]]"), "instead of a dimension"},
        BrokenHeader{"dimension_negative", with_shape("[-16]"), "found a negative number"},
        BrokenHeader{"dimension_minus_zero", with_shape("[-0]"), "found a negative number"},
        BrokenHeader{"dimension_fraction", with_shape("[16.0]"), "no 64-bit integer"},
        BrokenHeader{"dimension_exponent", with_shape("[16e0]"), "no 64-bit integer"},
        BrokenHeader{"dimension_beyond_64_bits", with_shape("[18446744073709551616]"), "no 64-bit integer"},
        BrokenHeader{"number_beyond_all", with_shape("[1e999]"), "not JSON"},
        BrokenHeader{"dimension_text", with_shape(R"(["16"])"), "found a string"},
        BrokenHeader{"shape_too_small", with_shape("[15]"), "hold 16 bytes, dtype and shape need 15"},
        BrokenHeader{"shape_too_large", with_shape("[17]"), "hold 16 bytes, dtype and shape need 17"},
        BrokenHeader{"dtype_too_large", with_shape("[16]", "F16"), "hold 16 bytes, dtype and shape need 32"},
        BrokenHeader{"shape_overflows", with_shape("[4294967296,4294967296,4294967296]"), "overflows 64 bits"},
        BrokenHeader{"shape_overflows_to_16", with_shape("[9223372036854775808,2,16]"), "overflows 64 bits"},
        BrokenHeader{"bits_overflow", with_shape("[4611686018427387904]", "F32"), "overflows 64 bits"},
        BrokenHeader{"overflow_before_zero", with_shape("[4294967296,4294967296,0]"), "overflows 64 bits"},
        BrokenHeader{"half_byte", with_shape("[31]", "F4"), "don't fill whole bytes"},
        BrokenHeader{"six_bits", with_shape("[21]", "F6_E2M3"), "don't fill whole bytes"}),
    [](const auto& test) { return test.param.label; });

INSTANTIATE_TEST_SUITE_P(
    Offsets, SafetensorsBrokenHeader,
    testing::Values(
        BrokenHeader{"offsets_is_number", with_offsets("16"), "instead of a list of two offsets"},
        BrokenHeader{"offsets_empty", with_offsets("[]"), "needs two offsets"},
        BrokenHeader{"one_offset", with_offsets("[0]"), "needs two offsets"},
        BrokenHeader{"three_offsets", with_offsets("[0,16,16]"), "needs two offsets"},
        BrokenHeader{"offset_negative", with_offsets("[-1,15]"), "found a negative number"},
        BrokenHeader{"offset_text", with_offsets(R"(["0",16])"), "found a string instead of an offset"},
        BrokenHeader{"offset_null", with_offsets("[0,null]"), "found null instead of an offset"},
        BrokenHeader{"offsets_nested", with_offsets("[[0,16]]"), "found a list instead of an offset"},
        BrokenHeader{"offsets_swapped", with_offsets("[16,0]"), "end before they begin"},
        BrokenHeader{"end_outside", with_offsets("[1,17]"), "leave the file"},
        BrokenHeader{"both_outside", with_offsets("[1000,1016]"), "leave the file"},
        BrokenHeader{"end_at_64_bits", with_offsets("[18446744073709551599,18446744073709551615]"), "leave the file"},
        BrokenHeader{"hole_first", with_offsets("[1,17]"), "1 bytes before it belong to no tensor", 17},
        BrokenHeader{"hole_between", "{" + u8_tensor("a", 0, 7) + "," + u8_tensor("t", 8, 16) + "}", "tensor=t"},
        BrokenHeader{"hole_last", with_offsets("[0,16]"), "the last 4 bytes belong to no tensor", 20},
        BrokenHeader{"data_without_tensors", "{}", "the last 16 bytes belong to no tensor"},
        BrokenHeader{"overlap", "{" + u8_tensor("a", 0, 9) + "," + u8_tensor("t", 8, 16) + "}",
                     "overlap tensor=t other=a"},
        BrokenHeader{"same_bytes", "{" + u8_tensor("a", 0, 16) + "," + u8_tensor("t", 0, 16) + "}", "overlap"},
        BrokenHeader{"inside", "{" + u8_tensor("a", 0, 16) + "," + u8_tensor("t", 4, 8) + "}", "overlap"},
        BrokenHeader{"empty_inside", "{" + u8_tensor("a", 0, 16) + "," + u8_tensor("t", 8, 8) + "}", "overlap"}),
    [](const auto& test) { return test.param.label; });

TEST(SafetensorsHeader, ErrorsNameTheTensorAndStayOneShortLine) {
  const std::string name = std::string(1000, 'n');
  const Result<Header> header = parse("{" + u8_tensor("a", 0, 8) + ",\"" + name + "\":{}}");
  ASSERT_FALSE(header);
  EXPECT_THAT(header.error().to_string(), HasSubstr("tensor=nnnn"));
  EXPECT_LT(header.error().to_string().size(), 300U);
  EXPECT_THAT(parse("{\"x\\n\\u0007\":{}}").error().to_string(), testing::Not(HasSubstr("\n")));
}

TEST(SafetensorsPrefix, GivesTheHeadersLength) {
  EXPECT_EQ(parse_header_length(prefix_of(2), 10, "f").value(), 2U);
  EXPECT_EQ(parse_header_length(prefix_of(kHeaderBytesMax), kHeaderBytesMax + 8, "f").value(), kHeaderBytesMax);
}

TEST(SafetensorsPrefix, RefusesLengthsBeyondTheFileOrTheLimit) {
  const auto refuse = [](std::uint64_t length, std::uint64_t file_bytes, std::string_view why) {
    const Result<std::uint64_t> result = parse_header_length(prefix_of(length), file_bytes, "m.safetensors");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), Code::corrupt);
    EXPECT_THAT(result.error().to_string(), testing::AllOf(HasSubstr(why), HasSubstr("file=m.safetensors")));
  };
  refuse(0, 0, "a file of 0 bytes holds no header");
  refuse(0, 7, "a file of 7 bytes holds no header");
  refuse(3, 10, "leaves the file");
  refuse(kHeaderBytesMax + 1, std::uint64_t{1} << 40, "over the limit");
  refuse(~std::uint64_t{0}, std::uint64_t{1} << 40, "over the limit");
  refuse(~std::uint64_t{0} - 7, ~std::uint64_t{0}, "over the limit");
}

TEST(SafetensorsHeader, RefusesMoreThanAMillionEntries) {
  std::string json = R"({"__metadata__":{)";
  for (std::size_t i = 0; i < kEntriesMax; ++i) json += fmt::format(R"("{:x}":"",)", i);
  json.back() = '}';
  const std::string at_the_limit = json + '}';
  ASSERT_LE(at_the_limit.size(), kHeaderBytesMax);
  EXPECT_EQ(parse(at_the_limit, 0)->metadata.size(), kEntriesMax);
  const Result<Header> over = parse(json + "," + u8_tensor("t", 0, 16) + "}");
  ASSERT_FALSE(over);
  EXPECT_THAT(over.error().to_string(), HasSubstr("more than 1048576 entries"));
}

struct ManyTensors {
  std::string json;
  std::uint64_t count = 0;
};

ManyTensors many_tensors(std::size_t json_bytes) {
  ManyTensors many{"{"};
  while (many.json.size() < json_bytes) {
    many.json += u8_tensor(fmt::format("{:x}", many.count * 0x9E3779B97F4A7C15U), many.count, many.count + 1) + ",";
    ++many.count;
  }
  many.json.back() = '}';
  return many;
}

/// Processor time, because tests share machines.
double seconds_to_parse(const ManyTensors& many) {
  const std::clock_t start = std::clock();
  const Result<Header> header = parse(many.json, many.count);
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  EXPECT_TRUE(header) << header.status().to_string();
  EXPECT_EQ(header ? header->tensors.size() : 0, many.count);
  return seconds;
}

// The square of 16 is 256; caches, and other programs on this machine, are let have a factor of four.
TEST(SafetensorsHeader, ParsesTheLargestHeaderInTimeThatGrowsWithIt) {
  constexpr double kTimes = 16;
  const double part = seconds_to_parse(many_tensors(static_cast<std::size_t>(kHeaderBytesMax / kTimes)));
  const double whole = seconds_to_parse(many_tensors(kHeaderBytesMax - 128));
  RecordProperty("seconds", std::to_string(whole));
  EXPECT_LT(whole, part * kTimes * 4);
}

}  // namespace
}  // namespace gpuio::store
