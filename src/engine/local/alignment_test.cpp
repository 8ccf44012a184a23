// SPDX-License-Identifier: Apache-2.0
#include "engine/local/alignment.h"

#include <gtest/gtest.h>

namespace gpuio::local {
namespace {

spi::FileAttributes reported(std::uint32_t memory, std::uint32_t offset) {
  spi::FileAttributes attributes;
  attributes.direct_memory_alignment = memory;
  attributes.direct_offset_alignment = offset;
  return attributes;
}

TEST(DirectAlignment, TakesWhatTheFileSystemReports) {
  const DirectAlignment alignment(reported(4, 512));
  EXPECT_EQ(alignment.memory(), 4U);
  EXPECT_EQ(alignment.offset(), 512U);
}

TEST(DirectAlignment, AsksForWholePagesWhereNothingOrNonsenseIsReported) {
  EXPECT_EQ(DirectAlignment(reported(0, 0)).offset(), 4096U);
  EXPECT_EQ(DirectAlignment(reported(512, 520)).offset(), 4096U);
}

TEST(DirectAlignment, RejectionRaisesItAndOneOfWholePagesEndsIt) {
  using Lesson = DirectAlignment::Lesson;
  DirectAlignment alignment(reported(512, 512));
  EXPECT_EQ(alignment.rejected(512, 4096, 4096), Lesson::raised);
  EXPECT_EQ(alignment.offset(), 4096U);
  EXPECT_EQ(alignment.memory(), 4096U);
  EXPECT_EQ(alignment.rejected(1024, 4096, 4096), Lesson::already_known) << "was under way when the first came back";
  EXPECT_EQ(alignment.rejected(8192, 4096, 4096), Lesson::unusable);
  EXPECT_FALSE(alignment.usable());
  EXPECT_EQ(alignment.rejected(8192, 4096, 4096), Lesson::already_known);
}

}  // namespace
}  // namespace gpuio::local
