// SPDX-License-Identifier: Apache-2.0
#include "core/layout/layout_overlap.h"

#include <algorithm>
#include <vector>

namespace gpuio::core {
namespace {

/// What a Layout names as extents that neither touch nor overlap, in order.
class DisjointPieces {
 public:
  DisjointPieces(const PlacedLayout& placed, std::uint64_t bytes) : placed_(placed) {
    const Layout& layout = placed.layout;
    as_they_are_ = layout.stride_bytes() > layout.piece_bytes();
    if (as_they_are_) return;
    if (layout.is_whole()) list_.push_back({0, bytes});
    list_.reserve(layout.count());
    for (std::uint64_t i = 0; i < layout.count(); ++i) {
      if (const Extent extent = layout.at(i); extent.length != 0) list_.push_back(extent);
    }
    join();
  }

  [[nodiscard]] std::uint64_t count() const noexcept { return as_they_are_ ? placed_.layout.count() : list_.size(); }
  [[nodiscard]] Extent at(std::uint64_t i) const noexcept {
    Extent extent = as_they_are_ ? placed_.layout.at(i) : list_[i];
    extent.offset += placed_.base;
    return extent;
  }

 private:
  void join() {
    std::sort(list_.begin(), list_.end(), [](const Extent& a, const Extent& b) { return a.offset < b.offset; });
    std::size_t last = 0;
    for (const Extent& extent : list_) {
      Extent& before = list_[last];
      if (extent.offset <= before.offset + before.length) {
        before.length = std::max(before.length, extent.offset + extent.length - before.offset);
      } else {
        list_[++last] = extent;
      }
    }
    list_.resize(list_.empty() ? 0 : last + 1);
  }

  PlacedLayout placed_;
  bool as_they_are_ = false;
  std::vector<Extent> list_;
};

/// Blocks at the same distance, as columns of one matrix: only the distance between the two first ones matters.
bool equal_strides_overlap(const PlacedLayout& a, const PlacedLayout& b) {
  const auto stride = static_cast<std::int64_t>(a.layout.stride_bytes());
  const auto apart = static_cast<std::int64_t>(b.layout.at(0).offset + b.base - a.layout.at(0).offset - a.base);
  const auto a_bytes = static_cast<std::int64_t>(a.layout.piece_bytes());
  const auto b_bytes = static_cast<std::int64_t>(b.layout.piece_bytes());
  // b's block that is `steps` further on than a's ends behind the begin of a's from the first such `steps` on.
  const std::int64_t bound = -b_bytes - apart;
  std::int64_t steps = bound / stride + 1;
  if (bound < 0 && bound % stride != 0) --steps;
  steps = std::max(steps, 1 - static_cast<std::int64_t>(a.layout.count()));
  return steps < static_cast<std::int64_t>(b.layout.count()) && apart + steps * stride < a_bytes;
}

}  // namespace

bool layouts_overlap(const PlacedLayout& a, const PlacedLayout& b, std::uint64_t bytes) {
  if (a.layout.stride_bytes() != 0 && a.layout.stride_bytes() == b.layout.stride_bytes()) {
    return equal_strides_overlap(a, b);
  }
  const DisjointPieces first(a, bytes);
  const DisjointPieces second(b, bytes);
  for (std::uint64_t i = 0, j = 0; i < first.count() && j < second.count();) {
    const Extent one = first.at(i);
    const Extent other = second.at(j);
    if (one.offset < other.offset + other.length && other.offset < one.offset + one.length) return true;
    if (one.offset < other.offset) {
      ++i;
    } else {
      ++j;
    }
  }
  return false;
}

}  // namespace gpuio::core
