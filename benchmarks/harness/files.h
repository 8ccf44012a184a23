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

/// Drops a file's pages from the page cache.
void evict(const std::filesystem::path& path);

/// Keeps all of a file in the page cache while it lives: what rests there may be reclaimed between two samples, and one
/// page from disk costs as much as a hundred that are hot. Throws where so much may not be locked (RLIMIT_MEMLOCK).
class HotFile {
 public:
  explicit HotFile(const std::filesystem::path& path);
  ~HotFile();
  HotFile(const HotFile&) = delete;
  HotFile& operator=(const HotFile&) = delete;

 private:
  void* mapping_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Throws where O_DIRECT is refused: the bars on it would mean nothing there.
void require_direct(const std::filesystem::path& path);

[[nodiscard]] base::UniqueFd open_or_throw(const std::filesystem::path& path, int flags);

/// `count` extents of `bytes` at random multiples of it within a file, the same for the same seed.
[[nodiscard]] std::vector<Extent> random_extents(std::uint64_t file_bytes, std::uint64_t bytes, std::uint64_t count,
                                                 std::uint64_t seed);

}  // namespace gpuio::bench
