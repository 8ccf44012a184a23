// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

namespace gpuio::base {
namespace {

using testing::ElementsAre;

TEST(Trim, TakesBlanksFromTheEndsOnly) {
  EXPECT_EQ(trim(" \t a b\t "), "a b");
  EXPECT_EQ(trim("a"), "a");
  EXPECT_EQ(trim("  "), "");
}

TEST(Split, KeepsEmptyParts) {
  EXPECT_THAT(split("a,b,,c", ','), ElementsAre("a", "b", "", "c"));
  EXPECT_THAT(split("", ','), ElementsAre(""));
  EXPECT_THAT(split(",", ','), ElementsAre("", ""));
}

TEST(EditDistance, CountsInsertedDroppedReplacedAndSwappedLetters) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("queue", "qeueu"), 2U);
  EXPECT_EQ(edit_distance("ab", "ba"), 1U);
}

TEST(Nearest, FindsTheMisspelledAndIgnoresTheForeign) {
  constexpr std::array<std::string_view, 4> kKeys = {"local.queue_depth_max", "scheduler.queue_depth_max",
                                                     "local.direct", "log.level"};
  EXPECT_EQ(nearest("local.queue_depht_max", kKeys), "local.queue_depth_max");
  EXPECT_EQ(nearest("local.queuedepth", kKeys), "local.queue_depth_max");
  EXPECT_EQ(nearest("log.levle", kKeys), "log.level");
  EXPECT_EQ(nearest("loca.direct", kKeys), "local.direct");
  EXPECT_EQ(nearest("completely.different", kKeys), "");
  EXPECT_EQ(nearest("", kKeys), "");
  EXPECT_EQ(nearest(std::string(100'000, 'l'), kKeys), "");
}

TEST(Nearest, TieGoesToTheFirst) {
  constexpr std::array<std::string_view, 2> kNames = {"cat1", "cat2"};
  EXPECT_EQ(nearest("cat3", kNames), "cat1");
  EXPECT_EQ(nearest("x", kNames), "");
}

}  // namespace
}  // namespace gpuio::base
