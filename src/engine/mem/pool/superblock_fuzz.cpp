// SPDX-License-Identifier: Apache-2.0
// Opening a pool: whatever lies in memory, it is an error with a name, or numbers that lead nowhere outside. Input: the
// memory. With a checksum that fits, so that what stands behind it is reached.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/checksum.h"
#include "engine/mem/pool/access.h"
#include "engine/mem/pool/create.h"
#include "engine/mem/pool/superblock.h"
#include "engine/mem/pool/verify.h"

namespace {

using gpuio::Code;
using gpuio::Result;
using namespace gpuio::pool;

constexpr std::uint64_t kWalkBytesMax = 1U << 20;  ///< Larger pools are opened, and not walked through.

void require(bool condition) {
  if (!condition) std::abort();
}

void check_geometry(const Geometry& geometry, std::uint64_t memory_bytes) {
  const std::uint32_t last = geometry.members - 1;
  require(geometry.chunks >= 1 && geometry.chunks <= geometry.ownership_words * 64);
  require(geometry.slot(last, geometry.slots - 1) + kSlotBytes <= geometry.data_begin);
  require(geometry.data_begin % geometry.block_bytes == 0 && geometry.data_begin % kLineBytes == 0);
  require(geometry.data_end() <= geometry.pool_bytes && geometry.pool_bytes <= memory_bytes);
}

/// All of it is read, whatever it says; sanitizers see what is read outside.
void walk(std::vector<std::uint64_t>& memory, const Geometry& geometry) {
  MemoryAccess<true> access(reinterpret_cast<std::byte*>(memory.data()));
  const gpuio::PoolReport report = Verifier<MemoryAccess<true>>(access, geometry).run();
  require(report.objects <= std::uint64_t{geometry.members} * geometry.slots);
  const Directory<MemoryAccess<true>> directory(access, geometry);
  static_cast<void>(directory.find("a name", hash_name("a name")));
}

void open(std::vector<std::uint64_t>& memory) {
  MemoryAccess<true> access(reinterpret_cast<std::byte*>(memory.data()));
  const std::uint64_t bytes = memory.size() * sizeof(std::uint64_t);
  const Result<Superblock> superblock = read_superblock(access, bytes);
  if (!superblock) {
    const Code code = superblock.error().code();
    require(code == Code::not_found || code == Code::unsupported || code == Code::corrupt ||
            code == Code::out_of_range);
    return;
  }
  check_geometry(geometry_of(*superblock), bytes);
  if (bytes <= kWalkBytesMax) walk(memory, geometry_of(*superblock));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint64_t> memory(std::max(size, sizeof(Superblock)) / sizeof(std::uint64_t) + 1);
  if (size != 0) std::memcpy(memory.data(), data, size);
  open(memory);
  Superblock block;
  std::memcpy(static_cast<void*>(&block), memory.data(), sizeof(block));
  block.magic = kMagic;
  block.version = kVersion;
  block.superblock_bytes = sizeof(Superblock);
  const auto bytes = encode(block);
  std::memcpy(memory.data(), bytes.data(), bytes.size());
  open(memory);
  return 0;
}
