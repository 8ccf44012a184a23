// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "gpuio/layout.hpp"

namespace gpuio::core {

/// Walks two Layouts of equal size side by side and yields the pieces that are contiguous in both.
///
/// Neighbouring extents that touch on both sides come out as one piece. Each piece costs the same wherever it lies in
/// the list, and nothing is allocated. A copy is a saved position. Borrows the Layouts, which must outlive it and its
/// copies. Not thread-safe.
class LayoutCursor {
 public:
  struct Piece {
    std::uint64_t store_offset = 0;
    std::uint64_t memory_offset = 0;
    std::uint64_t bytes = 0;
    std::uint64_t merged = 0;  ///< Pieces that travel with the first of it.

    friend bool operator==(const Piece&, const Piece&) = default;
  };

  /// `bytes` is the size of both; the default Layout means [0, bytes).
  LayoutCursor(const Layout& store, const Layout& memory, std::uint64_t bytes) noexcept
      : store_(store, bytes), memory_(memory, bytes), remaining_bytes_(bytes) {}
  LayoutCursor(Layout&&, const Layout&, std::uint64_t) = delete;
  LayoutCursor(const Layout&, Layout&&, std::uint64_t) = delete;

  [[nodiscard]] bool done() const noexcept { return remaining_bytes_ == 0; }
  [[nodiscard]] std::uint64_t remaining_bytes() const noexcept { return remaining_bytes_; }

  /// The next piece, of at most `bytes_max`. Requires `!done()` and `bytes_max > 0`.
  Piece next(std::uint64_t bytes_max) noexcept {
    Piece piece = step(bytes_max);
    while (piece.bytes < bytes_max && !done() && store_.offset() == piece.store_offset + piece.bytes &&
           memory_.offset() == piece.memory_offset + piece.bytes) {
      piece.bytes += step(bytes_max - piece.bytes).bytes;
      ++piece.merged;
    }
    return piece;
  }

  /// What `next` would give; moves nothing.
  [[nodiscard]] Piece peek(std::uint64_t bytes_max) const noexcept { return LayoutCursor(*this).next(bytes_max); }

 private:
  /// A position in one Layout: always at a byte, never at the end of an extent or in an empty one, unless all is
  /// passed.
  class Side {
   public:
    Side(const Layout& layout, std::uint64_t bytes) noexcept : layout_(&layout) {
      if (layout.is_whole()) {
        left_ = bytes;
      } else {
        skip_empty();
      }
    }

    [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }
    [[nodiscard]] std::uint64_t left() const noexcept { return left_; }

    void pass(std::uint64_t bytes) noexcept {
      offset_ += bytes;
      left_ -= bytes;
      if (left_ == 0) skip_empty();
    }

   private:
    void skip_empty() noexcept {
      while (left_ == 0 && index_ < layout_->count()) {
        const Extent extent = layout_->at(index_++);
        offset_ = extent.offset;
        left_ = extent.length;
      }
    }

    const Layout* layout_;
    std::uint64_t index_ = 0;  ///< Of the extent after this one.
    std::uint64_t offset_ = 0;
    std::uint64_t left_ = 0;  ///< Of this extent.
  };

  Piece step(std::uint64_t bytes_max) noexcept {
    const Piece piece{store_.offset(), memory_.offset(), std::min({bytes_max, store_.left(), memory_.left()}), 0};
    remaining_bytes_ -= piece.bytes;
    store_.pass(piece.bytes);
    memory_.pass(piece.bytes);
    return piece;
  }

  Side store_;
  Side memory_;
  std::uint64_t remaining_bytes_;
};

}  // namespace gpuio::core
