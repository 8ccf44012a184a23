// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "gpuio/context.hpp"
#include "harness/sample.h"

namespace gpuio::bench {

/// Reads a file from some offset on, O_DIRECT, with Requests of a window each; two are under way, so that the engine
/// never runs dry between them.
class BulkReader {
 public:
  BulkReader(const Context& io, const Store& file);

  /// Reads for about `seconds`, wrapping at the end of the file; ends when nothing is under way any more.
  Sample run(std::uint64_t offset, double seconds);

 private:
  static constexpr std::uint64_t kWindowBytes = std::uint64_t{16} << 20;

  Context io_;
  Store file_;
  std::array<Buffer, 2> windows_;
};

}  // namespace gpuio::bench
