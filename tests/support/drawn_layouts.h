// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "base/random.h"
#include "gpuio/layout.hpp"

/// Random Layouts, and what copying between two of them means.
namespace gpuio::tests {

inline void fill_random(base::Random& random, std::span<std::byte> memory) {
  for (std::size_t at = 0; at < memory.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t word = random.next();
    std::memcpy(memory.data() + at, &word, std::min(sizeof word, memory.size() - at));
  }
}

/// A Layout of exactly so many bytes and, for the oracle, the same as a list.
struct Drawn {
  Layout layout;
  std::vector<Extent> extents;
};

/// Draws Layouts of any kind.
class LayoutDraw {
 public:
  struct Shape {
    std::uint64_t memory_bytes;  ///< That it may name.
    std::uint64_t bytes;         ///< That it names: a multiple of `unit`, and less than there are by 2000 or more.
    std::uint64_t unit;          ///< Of blocks and rows; about so long are the extents of lists.
    bool distinct;               ///< No byte twice.
  };

  LayoutDraw(base::Random& random, const Shape& shape)
      : random_(random),
        memory_bytes_(shape.memory_bytes),
        bytes_(shape.bytes),
        unit_(shape.unit),
        distinct_(shape.distinct) {}

  Drawn draw() {
    switch (random_.uniform(5)) {
      case 0:
        return contiguous();
      case 1:
        return strided();
      case 2:
        return rows();
      default:
        return extents();
    }
  }

  Extent draw_extent() { return {random_.uniform(room()), bytes_}; }

 private:
  [[nodiscard]] std::uint64_t pieces() const { return bytes_ / unit_; }
  [[nodiscard]] std::uint64_t room() const { return memory_bytes_ - bytes_; }

  Drawn contiguous() {
    const Extent extent = draw_extent();
    return {Layout::contiguous(extent.offset, extent.length), {extent}};
  }

  Drawn strided() {
    const std::uint64_t gap = random_.uniform(std::min<std::uint64_t>(room() / pieces(), 3 * unit_) + 1);
    const std::uint64_t stride = unit_ + gap;
    const std::uint64_t offset = random_.uniform(memory_bytes_ - ((pieces() - 1) * stride + unit_) + 1);
    Drawn drawn{Layout::strided({offset, unit_, stride, pieces()}), {}};
    for (std::uint64_t i = 0; i < pieces(); ++i) drawn.extents.push_back({offset + i * stride, unit_});
    return drawn;
  }

  Drawn rows() {
    const std::uint64_t offset = random_.uniform(unit_ + 1);
    const std::uint64_t stride = unit_ + random_.uniform(std::min<std::uint64_t>(room() / (2 * pieces()), unit_) + 1);
    const std::uint64_t table_rows = std::max(pieces(), (memory_bytes_ - offset - unit_) / stride);
    std::vector<std::uint64_t> ids(table_rows);
    std::iota(ids.begin(), ids.end(), std::uint64_t{0});
    for (std::uint64_t i = 0; i < pieces(); ++i) std::swap(ids[i], ids[i + random_.uniform(table_rows - i)]);
    ids.resize(pieces());
    if (!distinct_ && ids.size() > 1) ids.back() = ids.front();
    Drawn drawn;
    for (const std::uint64_t id : ids) drawn.extents.push_back({offset + id * stride, unit_});
    drawn.layout = Layout::rows({offset, unit_, stride == unit_ && random_.chance(0.5) ? 0 : stride, std::move(ids)});
    return drawn;
  }

  Drawn extents() {
    Drawn drawn;
    std::uint64_t left = bytes_;
    std::uint64_t at = random_.uniform(1000);
    std::uint64_t slack = room() - at;
    while (left > 0) {
      const std::uint64_t length = std::min(left, random_.uniform(2 * unit_ + 2));
      drawn.extents.push_back({at, length});
      const std::uint64_t gap = random_.chance(0.3) ? 0 : std::min(slack, random_.uniform(unit_ + 2));
      at += length + gap;
      slack -= gap;
      left -= length;
    }
    for (std::size_t i = drawn.extents.size(); i > 1; --i) {
      if (random_.chance(0.5)) std::swap(drawn.extents[i - 1], drawn.extents[random_.uniform(i)]);
    }
    drawn.layout = Layout::extents(drawn.extents);
    return drawn;
  }

  base::Random& random_;
  std::uint64_t memory_bytes_;
  std::uint64_t bytes_;
  std::uint64_t unit_;
  bool distinct_;
};

/// Which byte follows which: the slow and obvious meaning of a pair of Layouts.
inline void copy_by_hand(std::byte* to, const std::vector<Extent>& to_extents, const std::byte* from,
                         const std::vector<Extent>& from_extents) {
  std::size_t at = 0;
  std::uint64_t used = 0;
  for (const Extent& extent : to_extents) {
    for (std::uint64_t i = 0; i < extent.length; ++i) {
      while (used == from_extents[at].length) {
        ++at;
        used = 0;
      }
      to[extent.offset + i] = from[from_extents[at].offset + used++];
    }
  }
}

}  // namespace gpuio::tests
