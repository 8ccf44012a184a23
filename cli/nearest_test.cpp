// SPDX-License-Identifier: Apache-2.0
#include "cli/nearest.h"

#include <vector>

#include <gtest/gtest.h>

namespace gpuio::cli {
namespace {

const std::vector<std::string> kWords{"load", "copy", "doctor", "--no-progress", "--json"};

TEST(Nearest, FindsTypingErrors) {
  EXPECT_EQ(nearest("laod", kWords), "load");
  EXPECT_EQ(nearest("docter", kWords), "doctor");
  EXPECT_EQ(nearest("--no-progres", kWords), "--no-progress");
  EXPECT_EQ(nearest("--jsn", kWords), "--json");
}

TEST(Nearest, IsSilentWhereNothingIsNear) {
  EXPECT_EQ(nearest("frobnicate", kWords), "");
  EXPECT_EQ(nearest("", kWords), "");
  EXPECT_EQ(did_you_mean("frobnicate", kWords), "");
}

TEST(Nearest, AsksWithTheWordInQuotes) { EXPECT_EQ(did_you_mean("laod", kWords), " (did you mean 'load'?)"); }

}  // namespace
}  // namespace gpuio::cli
