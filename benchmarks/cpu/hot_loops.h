// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "gpuio/layout.hpp"
#include "harness/sample.h"

/// The loops that a careful programmer would write by hand, for bytes in the page cache.
namespace gpuio::bench {

enum class Way { read, map };

struct HotLoop {
  Way way = Way::read;
  unsigned threads = 1;
  std::size_t chunk_bytes = 0;
};

/// Brings a whole file into `memory`; each thread takes one part of it. Mapping and unmapping are counted.
Sample read_whole(const std::filesystem::path& path, std::span<std::byte> memory, const HotLoop& loop);

/// Packs `extents` into `memory` by pread, each thread a part of the list.
Sample read_extents(const std::filesystem::path& path, std::span<const Extent> extents, std::byte* memory,
                    unsigned threads);

}  // namespace gpuio::bench
