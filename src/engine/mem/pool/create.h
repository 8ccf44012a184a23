// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>

#include "engine/mem/pool/access.h"
#include "engine/mem/pool/format.h"
#include "engine/mem/pool/superblock.h"
#include "gpuio/result.hpp"

namespace gpuio::pool {

template <class Access>
[[nodiscard]] Result<Superblock> read_superblock(Access& access, std::uint64_t memory_bytes) {
  access.template invalidate<"open.superblock.invalidate">(0, sizeof(Superblock));
  access.template load_fence<"open.superblock.load_fence">();
  const std::array<Line, 2> lines{load_line(access, 0), load_line(access, kLineBytes)};
  return parse_superblock(std::bit_cast<SuperblockBytes>(lines), memory_bytes);
}

/// Whether what reading a superblock gave means that a pool would be lost: also one of another version, or a damaged
/// one.
[[nodiscard]] inline bool holds_pool(const Result<Superblock>& superblock) {
  return superblock.has_value() || superblock.error().code() != Code::not_found;
}

/// Makes memory a pool of that superblock. A death on the way leaves memory without one.
template <class Access>
void write_pool(Access& access, const Superblock& superblock) {
  const auto lines = std::bit_cast<std::array<Line, 2>>(encode(superblock));
  // An older pool must not be seen with members that are half erased.
  access.store(0, 0);
  access.template flush<"create.erase.flush">(0, kLineBytes);
  access.template fence<"create.erase.fence">();
  const std::uint64_t end = geometry_of(superblock).data_begin;
  for (std::uint64_t offset = Geometry::kAreasBegin; offset < end; offset += kWordBytes) access.store(offset, 0);
  access.template flush<"create.areas.flush">(Geometry::kAreasBegin, end - Geometry::kAreasBegin);
  store_line(access, kLineBytes, lines[1]);
  for (std::size_t i = kLineWords; i-- > 0;) {
    // Everything else is there when the magic is: it is in the first word.
    if (i == 0) {
      access.template flush<"create.rest.flush">(0, sizeof(Superblock));
      access.template fence<"create.rest.fence">();
    }
    access.store(i * kWordBytes, lines[0][i]);
  }
  access.template flush<"create.magic.flush">(0, kLineBytes);
  access.template fence<"create.magic.fence">();
}

}  // namespace gpuio::pool
