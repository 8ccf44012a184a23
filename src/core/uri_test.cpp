// SPDX-License-Identifier: Apache-2.0
#include "core/uri.h"

#include <gtest/gtest.h>

namespace gpuio::core {
namespace {

TEST(Uri, TextWithoutASchemeIsAFilesPathAsItStands) {
  const auto uri = parse_uri("/data/100%?x").value();
  EXPECT_EQ(uri.scheme, "file");
  EXPECT_EQ(uri.path, "/data/100%?x");
}

TEST(Uri, SchemePathAndParametersAreTakenApart) {
  const auto uri = parse_uri("sim://disk?seed=7&latency=5ms").value();
  EXPECT_EQ(uri.scheme, "sim");
  EXPECT_EQ(uri.path, "disk");
  ASSERT_EQ(uri.parameters.size(), 2U);
  EXPECT_EQ(uri.parameters[1], (std::pair<std::string, std::string>("latency", "5ms")));
}

TEST(Uri, PercentSignsAreDecodedInPathsAndValues) {
  const auto uri = parse_uri("file:///a%20b%3Fc?note=x%26y").value();
  EXPECT_EQ(uri.path, "/a b?c");
  EXPECT_EQ(uri.parameters.at(0).second, "x&y");
}

class BadUri : public testing::TestWithParam<std::string_view> {};

TEST_P(BadUri, IsAnInvalidArgumentThatRepeatsIt) {
  const auto uri = parse_uri(GetParam());
  ASSERT_FALSE(uri);
  EXPECT_EQ(uri.error().code(), Code::invalid_argument);
  EXPECT_NE(uri.error().message().find(GetParam()), std::string_view::npos);
}

INSTANTIATE_TEST_SUITE_P(All, BadUri,
                         testing::Values("", "://x", "FILE:///x", "file://", "file://?a=b", "file:///a%2",
                                         "file:///a%zz", "file:///a%00b", "file:///a?novalue", "file:///a?=v"));

}  // namespace
}  // namespace gpuio::core
