// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

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

  /// `bytes` is the size of both; the default Layout means [0, bytes). `store_base` is added to all that `store` names.
  LayoutCursor(const Layout& store, const Layout& memory, std::uint64_t bytes, std::uint64_t store_base = 0) noexcept
      : store_(store, bytes, store_base), memory_(memory, bytes, 0), remaining_bytes_(bytes) {}
  LayoutCursor(Layout&&, const Layout&, std::uint64_t, std::uint64_t = 0) = delete;
  LayoutCursor(const Layout&, Layout&&, std::uint64_t, std::uint64_t = 0) = delete;

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

  /// Where the next byte lies.
  [[nodiscard]] std::uint64_t store_offset() const noexcept { return store_.offset(); }
  [[nodiscard]] std::uint64_t memory_offset() const noexcept { return memory_.offset(); }

  /// Passes over `bytes`, at most what remains. Costs the same however many pieces that are, but in lists of extents,
  /// which it walks.
  void skip(std::uint64_t bytes) noexcept {
    remaining_bytes_ -= bytes;
    store_.skip(bytes);
    memory_.skip(bytes);
  }

  /// Of the next `bytes` (at least one, at most what remains): from the first in the store to the last.
  [[nodiscard]] Extent store_hull(std::uint64_t bytes) const noexcept {
    LayoutCursor cursor(*this);
    std::uint64_t begin = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t end = 0;
    while (bytes > 0) {
      const Piece piece = cursor.next(bytes);
      begin = std::min(begin, piece.store_offset);
      end = std::max(end, piece.store_offset + piece.bytes);
      bytes -= piece.bytes;
    }
    return {begin, end - begin};
  }

 private:
  /// A position in one Layout: always at a byte, never at the end of an extent or in an empty one, unless all is
  /// passed.
  class Side {
   public:
    Side(const Layout& layout, std::uint64_t bytes, std::uint64_t base) noexcept
        : layout_(&layout), base_(base), offset_(base) {
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

    void skip(std::uint64_t bytes) noexcept {
      const std::uint64_t piece = layout_->piece_bytes();
      if (piece != 0 && bytes > left_) {
        const std::uint64_t beyond = bytes - left_;
        index_ += beyond / piece;
        left_ = 0;
        skip_empty();
        return pass(beyond % piece);
      }
      while (bytes > left_) {
        bytes -= left_;
        left_ = 0;
        skip_empty();
      }
      pass(bytes);
    }

   private:
    void skip_empty() noexcept {
      while (left_ == 0 && index_ < layout_->count()) {
        const Extent extent = layout_->at(index_++);
        offset_ = base_ + extent.offset;
        left_ = extent.length;
      }
    }

    const Layout* layout_;
    std::uint64_t base_;
    std::uint64_t index_ = 0;  ///< Of the extent after this one.
    std::uint64_t offset_;
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
