// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/copy/host_fill.h"
#include "core/layout/layout_cursor.h"

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

}  // namespace gpuio::core
