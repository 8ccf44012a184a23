// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/copy/copy_span.h"
#include "core/placement/placement_system.h"
#include "core/spi/executor.h"

namespace gpuio::core {

/// What of a copy the workers of one node begin with. Keeps its memory when it is used again. Not thread-safe.
class CopyShare {
 public:
  static constexpr int kAnywhere = -1;

  void reset(int node, unsigned workers) noexcept;
  void add(const CopySpan& span);
  /// What was added last goes on for so much longer.
  void extend(std::uint64_t bytes) noexcept;
  /// The next of its bytes, `bytes_max` at most. Requires that some are left.
  [[nodiscard]] CopySpan take(std::uint64_t bytes_max) noexcept;

  [[nodiscard]] int node() const noexcept { return node_; }
  [[nodiscard]] unsigned workers() const noexcept { return workers_; }
  [[nodiscard]] std::uint64_t left_bytes() const noexcept { return left_bytes_; }

 private:
  int node_ = kAnywhere;
  unsigned workers_ = 1;
  std::uint64_t left_bytes_ = 0;
  std::vector<CopySpan> spans_;
  std::size_t next_ = 0;
};

/// Shares a span out by where its pages are: to the node of the destination, since a processor waits for what it
/// stores past the caches, while what it loads is fetched ahead; to the source's where no worker is near the
/// destination; dealt evenly where none is near either. Looks at a page in a megabyte.
void share_out(const CopySpan& span, std::span<const spi::WorkerNode> nodes, PlacementSystem& system,
               std::vector<CopyShare>& shares);

}  // namespace gpuio::core
