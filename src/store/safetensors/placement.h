// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gpuio/layout.hpp"
#include "gpuio/result.hpp"

namespace gpuio::store {

/// Bytes of a file that go to memory in one piece.
struct Part {
  std::size_t file = 0;
  Extent extent;                      ///< In the file.
  std::uint64_t alignment_bytes = 1;  ///< What its address must be a multiple of; at most that of the runs.
};

/// What is read from one file: equally many bytes on both sides.
struct FilePlan {
  std::size_t file = 0;
  std::vector<Extent> extents;    ///< In the file; neighbours joined.
  std::vector<Extent> placement;  ///< In memory; neighbours joined.
};

/// Where every part goes.
struct Placement {
  std::vector<std::uint64_t> offsets;  ///< Of each part in memory, in the order given.
  std::vector<FilePlan> files;         ///< Those that have bytes to read.
  std::uint64_t size_bytes = 0;        ///< Of the memory.
};

/// Lays parts out in the order of their files and offsets. A part stays right behind the one before where it is so in
/// their file and its own alignment allows it; otherwise it begins a run, at a multiple of `run_alignment_bytes`. So
/// reads stay as large as the file's order makes them. Fails with `out_of_range` where the sizes overflow.
[[nodiscard]] Result<Placement> place(std::span<const Part> parts, std::uint64_t run_alignment_bytes);

}  // namespace gpuio::store
