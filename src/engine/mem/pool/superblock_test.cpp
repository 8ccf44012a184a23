// SPDX-License-Identifier: Apache-2.0
#include "engine/mem/pool/superblock.h"

#include <gtest/gtest.h>

#include <cstring>

namespace gpuio::pool {
namespace {

constexpr std::uint64_t kMemoryBytes = 1U << 20;
const PoolOptions kOptions{.members_max = 4, .objects_per_member_max = 64, .block_bytes = 256, .chunk_bytes = 4096};

Superblock planned(const PoolOptions& options = kOptions) {
  return plan_superblock(kMemoryBytes, options, {1, 2, 3}).value();
}

Code refusal(const SuperblockBytes& bytes, std::uint64_t memory_bytes = kMemoryBytes) {
  const Result<Superblock> parsed = parse_superblock(bytes, memory_bytes);
  return parsed ? Code::ok : parsed.error().code();
}

TEST(Superblock, SurvivesBeingWrittenAndRead) {
  const Superblock block = planned();
  const Superblock again = parse_superblock(encode(block), kMemoryBytes).value();
  EXPECT_EQ(again.uuid, block.uuid);
  EXPECT_EQ(again.pool_bytes, kMemoryBytes);
  EXPECT_EQ(again.chunk_bytes, 4096U);
  EXPECT_EQ(again.lease_ns, kOptions.lease_ns);
}

TEST(Superblock, EachForeignOlderNewerAndLargerOneHasItsError) {
  SuperblockBytes zeros{};
  EXPECT_EQ(refusal(zeros), Code::not_found);
  SuperblockBytes foreign = encode(planned());
  foreign[0] ^= std::byte{1};
  EXPECT_EQ(refusal(foreign), Code::not_found);
  Superblock other = planned();
  other.version = kVersion + 1;
  EXPECT_EQ(refusal(encode(other)), Code::unsupported);
  other.version = kVersion - 1;
  EXPECT_EQ(refusal(encode(other)), Code::unsupported);
  EXPECT_EQ(refusal(encode(planned()), kMemoryBytes - kLineBytes), Code::out_of_range);
}

TEST(Superblock, EveryFlippedBitBehindTheVersionIsDamage) {
  const SuperblockBytes whole = encode(planned());
  for (std::size_t bit = 8 * offsetof(Superblock, superblock_bytes); bit < 8 * whole.size(); ++bit) {
    SuperblockBytes flipped = whole;
    flipped[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    EXPECT_EQ(refusal(flipped), Code::corrupt) << "bit " << bit;
  }
}

TEST(Superblock, NumbersThatNoPoolHasAreDamageEvenWithAFittingChecksum) {
  const auto damaged = [](auto change) {
    Superblock block = planned();
    change(block);
    return refusal(encode(block));
  };
  EXPECT_EQ(damaged([](Superblock& block) { block.members = 0; }), Code::corrupt);
  EXPECT_EQ(damaged([](Superblock& block) { block.members = 1U << 31; }), Code::corrupt);
  EXPECT_EQ(damaged([](Superblock& block) { block.slots = 63; }), Code::corrupt);
  EXPECT_EQ(damaged([](Superblock& block) { block.slots = 1U << 24; }), Code::corrupt);  // More than there is room for.
  EXPECT_EQ(damaged([](Superblock& block) { block.block_bytes = 32; }), Code::corrupt);
  EXPECT_EQ(damaged([](Superblock& block) { block.chunk_bytes = 0; }), Code::corrupt);
  EXPECT_EQ(damaged([](Superblock& block) { block.chunk_bytes = 128; }), Code::corrupt);
  EXPECT_EQ(damaged([](Superblock& block) { block.settle_ns = block.lease_ns; }), Code::corrupt);
  EXPECT_EQ(damaged([](Superblock& block) { block.coherent = 2; }), Code::corrupt);
  EXPECT_EQ(damaged([](Superblock& block) { block.superblock_bytes = 64; }), Code::corrupt);
  EXPECT_EQ(damaged([](Superblock& block) { block.pool_bytes = 128; }), Code::corrupt);
}

TEST(Superblock, AnOptionThatCantBeIsNamed) {
  const auto named = [](const PoolOptions& options, std::string_view name) {
    const Result<Superblock> planned = plan_superblock(kMemoryBytes, options, {});
    return !planned && planned.error().code() == Code::invalid_argument && planned.error().message().starts_with(name);
  };
  EXPECT_TRUE(named({.members_max = 0}, "members_max"));
  EXPECT_TRUE(named({.objects_per_member_max = 12}, "objects_per_member_max"));
  EXPECT_TRUE(named({.block_bytes = 100}, "block_bytes"));
  EXPECT_TRUE(named({.chunk_bytes = 12288}, "chunk_bytes"));
  EXPECT_TRUE(named({.lease_ns = 0}, "lease_ns"));
  EXPECT_TRUE(named({.lease_ns = 1'000'000, .settle_ns = 300'000}, "settle_ns"));
  EXPECT_EQ(plan_superblock(4096, {}, {}).error().code(), Code::out_of_range);
}

TEST(Superblock, AreasAndChunksLieApartAndInside) {
  const Geometry geometry = geometry_of(planned());
  EXPECT_GE(geometry.area(0), sizeof(Superblock));
  for (std::uint32_t rank = 0; rank < geometry.members; ++rank) {
    EXPECT_EQ(geometry.ownership(rank, geometry.ownership_words), geometry.bucket(rank, 0));
    EXPECT_EQ(geometry.bucket(rank, geometry.buckets), geometry.slot(rank, 0));
    EXPECT_EQ(geometry.slot(rank, geometry.slots), geometry.area(rank + 1));
    EXPECT_EQ(geometry.area(rank) % kLineBytes, 0U);
  }
  EXPECT_GE(geometry.data_begin, geometry.area(geometry.members));
  EXPECT_LE(geometry.data_end(), kMemoryBytes);
  EXPECT_GE(geometry.ownership_words * 64, geometry.chunks);
}

}  // namespace
}  // namespace gpuio::pool
