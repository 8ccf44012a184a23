// SPDX-License-Identifier: Apache-2.0
#include "cli/svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gpuio::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Svg, WhatXmlReadsAsItsOwnIsReplaced) { EXPECT_EQ(xml_escaped("a<b & \"c\">"), "a&lt;b &amp; &quot;c&quot;&gt;"); }

TEST(Svg, BytesThatAreNoTextBecomeQuestionMarks) {
  EXPECT_EQ(xml_escaped("a\x01\x7f\xff\xc3z"), "a????z");
  EXPECT_EQ(xml_escaped("\xc3\xa9\xe2\x82\xac"), "\xc3\xa9\xe2\x82\xac");
  EXPECT_EQ(xml_escaped("\xe2\x82"), "??");
}

TEST(Svg, LongTextIsCutBetweenCharacters) {
  EXPECT_EQ(shortened("abc", 3), "abc");
  EXPECT_EQ(shortened("abcd", 3), "ab\u2026");
  EXPECT_EQ(shortened("\xc3\xa9\xc3\xa9\xc3\xa9", 2), "\xc3\xa9\u2026");
}

TEST(Svg, AFileIsOneElementWithItsStyleAndSize) {
  Svg svg;
  svg.begin_group("a & b");
  svg.text(1, 2, "body", "<script>");
  svg.end_group();
  const std::string file = svg.finish(100, 50, "title", ".body{}");
  EXPECT_THAT(file, HasSubstr("viewBox=\"0 0 100 50\""));
  EXPECT_THAT(file, HasSubstr("<title>a &amp; b</title>"));
  EXPECT_THAT(file, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(file, Not(HasSubstr("<script")));
  EXPECT_TRUE(file.ends_with("</svg>\n"));
}

}  // namespace
}  // namespace gpuio::cli
