// SPDX-License-Identifier: Apache-2.0
#include "engine/mem/pool/superblock.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/align.h"
#include "base/checksum.h"
#include "base/try.h"

namespace gpuio::pool {
namespace {

constexpr std::uint64_t kPoolBytesMax = std::uint64_t{1} << 56;
constexpr std::uint64_t kChunkBytesMax = std::uint64_t{1} << 48;
constexpr std::uint32_t kBlockBytesMax = 1U << 30;
constexpr std::uint32_t kMembersMax = 1024;
constexpr std::uint32_t kSlotsMin = 8;
constexpr std::uint32_t kSlotsMax = 1U << 24;
constexpr std::uint64_t kChunksMax = 1U << 16;
constexpr std::uint64_t kChunksWanted = 256;
constexpr std::uint64_t kTimeMinNs = 1'000;
constexpr std::uint64_t kTimeMaxNs = 3'600'000'000'000;

Status refused(std::string_view option, std::uint64_t value, std::string_view rule) {
  return Status(Code::invalid_argument, std::string(option) + ": " + std::string(rule)).with("value", value);
}

/// What every superblock obeys, a planned one and one from memory.
Status check(const Superblock& block) {
  if (block.members < 1 || block.members > kMembersMax) return refused("members_max", block.members, "1 to 1024");
  if (!std::has_single_bit(block.slots) || block.slots < kSlotsMin || block.slots > kSlotsMax) {
    return refused("objects_per_member_max", block.slots, "a power of two, 8 to 2^24");
  }
  if (!std::has_single_bit(block.block_bytes) || block.block_bytes < kLineBytes || block.block_bytes > kBlockBytesMax) {
    return refused("block_bytes", block.block_bytes, "a power of two, 64 to 2^30");
  }
  if (!std::has_single_bit(block.chunk_bytes) || block.chunk_bytes < block.block_bytes ||
      block.chunk_bytes > kChunkBytesMax) {
    return refused("chunk_bytes", block.chunk_bytes, "a power of two, from block_bytes to 2^48");
  }
  if (block.lease_ns < kTimeMinNs || block.lease_ns > kTimeMaxNs)
    return refused("lease_ns", block.lease_ns, "1 us to 1 h");
  // A claim has to be through well within half a lease.
  if (block.settle_ns < kTimeMinNs || block.settle_ns > block.lease_ns / 4) {
    return refused("settle_ns", block.settle_ns, "from 1 us to a quarter of lease_ns");
  }
  if (block.pool_bytes > kPoolBytesMax || block.pool_bytes / block.chunk_bytes > kChunksMax) {
    return refused("chunk_bytes", block.chunk_bytes, "too small: more than 65536 chunks");
  }
  if (geometry_of(block).chunks == 0) {
    return Status(Code::out_of_range, "too little memory: no chunk fits behind the members' areas")
        .with("bytes", block.pool_bytes)
        .with("needed_bytes", geometry_of(block).data_begin + block.chunk_bytes);
  }
  return {};
}

std::uint32_t crc_of(const Superblock& block) noexcept {
  return base::crc32c(std::as_bytes(std::span(&block, 1)).first(offsetof(Superblock, crc)));
}

}  // namespace

Result<Superblock> plan_superblock(std::uint64_t memory_bytes, const PoolOptions& options,
                                   const std::array<std::uint8_t, 16>& uuid) {
  Superblock block;
  block.uuid = uuid;
  block.pool_bytes = base::align_down(memory_bytes, kLineBytes);
  block.block_bytes = options.block_bytes;
  block.chunk_bytes = options.chunk_bytes;
  if (block.chunk_bytes == 0) {
    block.chunk_bytes = std::bit_ceil(std::clamp<std::uint64_t>(memory_bytes / kChunksWanted, 1, kChunkBytesMax));
    block.chunk_bytes = std::max<std::uint64_t>(block.chunk_bytes, options.block_bytes);
  }
  block.members = options.members_max;
  block.slots = options.objects_per_member_max;
  block.coherent = options.coherent ? 1 : 0;
  block.lease_ns = options.lease_ns;
  block.settle_ns = options.settle_ns;
  GPUIO_TRY(check(block));
  return block;
}

SuperblockBytes encode(const Superblock& superblock) noexcept {
  Superblock block = superblock;
  block.crc = crc_of(block);
  return std::bit_cast<SuperblockBytes>(block);
}

Result<Superblock> parse_superblock(std::span<const std::byte, sizeof(Superblock)> bytes, std::uint64_t memory_bytes) {
  Superblock block;
  std::memcpy(&block, bytes.data(), sizeof(block));
  if (block.magic != kMagic) return Status(Code::not_found, "no pool in this memory: Pool::create makes one");
  // Versions first: another version may keep its checksum elsewhere.
  if (block.version != kVersion) {
    return Status(Code::unsupported, block.version > kVersion ? "the pool is of a newer version of this library"
                                                              : "the pool is of an older version of this library")
        .with("version", block.version)
        .with("understood", kVersion);
  }
  if (block.crc != crc_of(block)) return Status(Code::corrupt, "the pool's superblock fails its checksum");
  if (block.superblock_bytes != sizeof(Superblock) || block.coherent > 1) {
    return Status(Code::corrupt, "the pool's superblock has numbers that no pool has");
  }
  if (block.pool_bytes > memory_bytes) {
    return Status(Code::out_of_range, "the pool is larger than the memory given")
        .with("pool_bytes", block.pool_bytes)
        .with("bytes", memory_bytes);
  }
  if (const Status status = check(block); !status.ok()) {
    return Status(Code::corrupt,
                  "the pool's superblock has numbers that no pool has: " + std::string(status.message()));
  }
  return block;
}

Geometry geometry_of(const Superblock& superblock) noexcept {
  Geometry geometry;
  geometry.pool_bytes = superblock.pool_bytes;
  geometry.block_bytes = superblock.block_bytes;
  geometry.chunk_bytes = superblock.chunk_bytes;
  geometry.members = superblock.members;
  geometry.slots = superblock.slots;
  geometry.lease_ns = superblock.lease_ns;
  geometry.settle_ns = superblock.settle_ns;
  geometry.coherent = superblock.coherent != 0;
  geometry.buckets = superblock.slots / kSlotsPerBucket;
  // One bit for each chunk that could be, were there no areas; whole lines, because a line has one writer.
  geometry.ownership_words = base::align_up<std::uint64_t>(
      base::divide_up<std::uint64_t>(superblock.pool_bytes / superblock.chunk_bytes + 1, 64), kLineWords);
  geometry.area_bytes = 2 * kLineBytes + geometry.ownership_words * kWordBytes + geometry.buckets * kLineBytes +
                        geometry.slots * kSlotBytes;
  // Data on pages of its own, whatever the block: they may be mapped or registered apart.
  geometry.data_begin =
      base::align_up(geometry.area(geometry.members), std::max(Geometry::kAreasBegin, geometry.block_bytes));
  if (geometry.pool_bytes > geometry.data_begin) {
    geometry.chunks = (geometry.pool_bytes - geometry.data_begin) / geometry.chunk_bytes;
  }
  return geometry;
}

}  // namespace gpuio::pool
