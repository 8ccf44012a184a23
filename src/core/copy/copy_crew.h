// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/copy/host_fill.h"
#include "core/layout/layout_cursor.h"
#include "core/spi/engine.h"
#include "core/spi/executor.h"

namespace gpuio::core {

/// Bytes of two Layouts side by side, both in memory that the host reaches: what a run of a copy moves. Or, with a
/// pattern, what a fill writes.
struct CopySpan {
  LayoutCursor begin;
  std::uint64_t bytes = 0;
  std::uint64_t whole_bytes = 0;      ///< Of the transfer that this is a part of.
  const std::byte* source = nullptr;  ///< What the cursor's store side counts from; null for fills.
  std::byte* destination = nullptr;
  FillPattern pattern;  ///< Of fills.
};

/// Moves a span on the thread that calls.
void move_span(const CopySpan& span) noexcept;

/// Moves a span by workers of the pool, each a part of it. Its tasks are kept for the next one, so a steady flow
/// allocates nothing, however many pieces the Layouts have: a part is two positions and a length. Thread safety: one
/// span at a time.
class CopyCrew {
 public:
  /// `run.finish()` follows, from the task that ends last, and maybe before this returns.
  void start(const CopySpan& span, spi::Run& run, spi::Executor& executor);

 private:
  struct Part final : spi::Task {
    Part(CopyCrew& owner, const CopySpan& part) : crew(&owner), span(part) {}
    void run() override;
    CopyCrew* crew;
    CopySpan span;
  };

  std::vector<Part> parts_;
  std::atomic<std::size_t> left_{0};
  spi::Run* run_ = nullptr;
};

}  // namespace gpuio::core
