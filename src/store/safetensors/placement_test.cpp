// SPDX-License-Identifier: Apache-2.0
#include "store/safetensors/placement.h"

#include <gmock/gmock.h>

#include "base/random.h"

namespace gpuio::store {
namespace {

using testing::ElementsAre;

TEST(SafetensorsPlacement, KeepsAWholeFileOnePiece) {
  const std::vector<Part> parts{{0, {72, 800}, 8}, {0, {872, 4}, 4}, {0, {876, 0}, 1}, {0, {876, 3}, 1}};
  const Placement placement = place(parts, 256).value();
  EXPECT_THAT(placement.offsets, ElementsAre(0, 800, 804, 804));
  ASSERT_EQ(placement.files.size(), 1U);
  EXPECT_THAT(placement.files[0].extents, ElementsAre(Extent{72, 807}));
  EXPECT_THAT(placement.files[0].placement, ElementsAre(Extent{0, 807}));
  EXPECT_EQ(placement.size_bytes, 807U);
}

TEST(SafetensorsPlacement, ReadsAFileOnceWhereATensorHasToMoveToBeAligned) {
  const std::vector<Part> parts{{0, {10, 3}, 1}, {0, {13, 8}, 4}};
  const Placement placement = place(parts, 256).value();
  EXPECT_THAT(placement.offsets, ElementsAre(0, 256));
  EXPECT_THAT(placement.files[0].extents, ElementsAre(Extent{10, 11}));
  EXPECT_THAT(placement.files[0].placement, ElementsAre(Extent{0, 3}, Extent{256, 8}));
}

TEST(SafetensorsPlacement, BeginsARunAtEveryGapAndEveryFile) {
  const std::vector<Part> parts{{1, {100, 10}, 1}, {0, {200, 10}, 1}, {0, {100, 10}, 1}, {0, {110, 10}, 1}};
  const Placement placement = place(parts, 64).value();
  EXPECT_THAT(placement.offsets, ElementsAre(128, 64, 0, 10));
  ASSERT_EQ(placement.files.size(), 2U);
  EXPECT_THAT(placement.files[0].extents, ElementsAre(Extent{100, 20}, Extent{200, 10}));
  EXPECT_THAT(placement.files[1].extents, ElementsAre(Extent{100, 10}));
}

TEST(SafetensorsPlacement, GivesAPartThatIsAskedForTwiceTwoPlaces) {
  const std::vector<Part> parts{{0, {8, 100}, 4}, {0, {8, 100}, 4}, {0, {50, 10}, 1}};
  const Placement placement = place(parts, 64).value();
  EXPECT_THAT(placement.offsets, ElementsAre(0, 128, 256));
}

TEST(SafetensorsPlacement, PlansNoReadWhereThereAreNoBytes) {
  const std::vector<Part> parts{{0, {8, 0}, 4}, {1, {9, 0}, 1}};
  EXPECT_TRUE(place(parts, 64)->files.empty());
}

TEST(SafetensorsPlacement, RefusesSizesThatOverflow) {
  const std::vector<Part> parts{{0, {0, ~std::uint64_t{0}}, 1}, {1, {0, 2}, 1}};
  EXPECT_EQ(place(parts, 64).error().code(), Code::out_of_range);
}

// Maps the n-th byte of the file side to the n-th of the memory side, as a transfer does, and looks every part up.
TEST(SafetensorsPlacement, BringsEveryByteOfRandomPartsToItsPlace) {
  base::Random random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<Part> parts;
    for (std::uint64_t i = 0; i < 20; ++i) {
      const std::uint64_t alignment = std::uint64_t{1} << random.uniform(4);
      parts.push_back({random.uniform(3), {random.uniform(100), random.uniform(40)}, alignment});
    }
    const Placement placement = place(parts, 16).value();
    std::vector<std::pair<std::size_t, std::uint64_t>> memory(placement.size_bytes, {99, 0});
    for (const FilePlan& plan : placement.files) {
      std::vector<std::uint64_t> source;
      for (const Extent& e : plan.extents) {
        for (std::uint64_t i = 0; i < e.length; ++i) source.push_back(e.offset + i);
      }
      std::size_t n = 0;
      for (const Extent& e : plan.placement) {
        for (std::uint64_t i = 0; i < e.length; ++i) memory.at(e.offset + i) = {plan.file, source.at(n++)};
      }
      ASSERT_EQ(n, source.size());
    }
    for (std::size_t p = 0; p < parts.size(); ++p) {
      ASSERT_EQ(placement.offsets[p] % parts[p].alignment_bytes, 0U);
      for (std::uint64_t i = 0; i < parts[p].extent.length; ++i) {
        ASSERT_EQ(memory.at(placement.offsets[p] + i), std::pair(parts[p].file, parts[p].extent.offset + i));
      }
    }
  }
}

}  // namespace
}  // namespace gpuio::store
