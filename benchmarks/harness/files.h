// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/unique_fd.h"
#include "gpuio/layout.hpp"

namespace gpuio::bench {

/// A file of random bytes, kept for the next run if it has the right size already. Durable, so that no writing back
/// disturbs what is measured.
void make_random_file(const std::filesystem::path& path, std::uint64_t size_bytes);

/// A safetensors file of 1,000 equal tensors of random bytes, about `size_bytes` in all; kept as above.
void make_model_file(const std::filesystem::path& path, std::uint64_t size_bytes);

/// Reads all of a file, so that it lies in the page cache, or drops it from there.
void warm(const std::filesystem::path& path);
void evict(const std::filesystem::path& path);

/// Throws unless all of a file is in memory: what was measured then was not what the bar is about.
void require_resident(const std::filesystem::path& path);

/// Throws where O_DIRECT is refused: the bars on it would mean nothing there.
void require_direct(const std::filesystem::path& path);

[[nodiscard]] base::UniqueFd open_or_throw(const std::filesystem::path& path, int flags);

/// `count` extents of `bytes` at random multiples of it within a file, the same for the same seed.
[[nodiscard]] std::vector<Extent> random_extents(std::uint64_t file_bytes, std::uint64_t bytes, std::uint64_t count,
                                                 std::uint64_t seed);

}  // namespace gpuio::bench
