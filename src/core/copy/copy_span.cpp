// SPDX-License-Identifier: Apache-2.0
#include "core/copy/copy_span.h"

#include <array>

#include "core/copy/host_copy.h"
#include "core/launch/fetched_rows.h"

namespace gpuio::core {
namespace {

/// Pieces at least so long are for the processor to fetch ahead by itself.
constexpr std::uint64_t kLongPieceBytes = 16U << 10U;

/// Pieces whose memory is on its way to the caches before they are copied: a line takes as long as some ten copies of
/// one.
class FetchedPieces {
 public:
  explicit FetchedPieces(std::uint64_t whole_bytes) noexcept : copier_(whole_bytes) {}
  ~FetchedPieces() { drain(); }
  FetchedPieces(const FetchedPieces&) = delete;
  FetchedPieces& operator=(const FetchedPieces&) = delete;

  void add(std::byte* to, const std::byte* from, std::uint64_t bytes) noexcept {
    fetch_row(from, bytes);
    if (added_ - copied_ == kRowsAhead) copy_oldest();
    pieces_[added_++ % kRowsAhead] = {to, from, bytes};
  }

  /// Copies all that was added.
  void drain() noexcept {
    while (copied_ != added_) copy_oldest();
  }

 private:
  struct Piece {
    std::byte* to;
    const std::byte* from;
    std::uint64_t bytes;
  };

  void copy_oldest() noexcept {
    const Piece& piece = pieces_[copied_++ % kRowsAhead];
    copier_.copy(piece.to, piece.from, piece.bytes);
  }

  std::array<Piece, kRowsAhead> pieces_;
  std::size_t added_ = 0;
  std::size_t copied_ = 0;
  RowCopier copier_;
};

void fill(const CopySpan& span) noexcept {
  const std::uint64_t at = span.begin.memory_offset();
  host_fill(span.destination + at, span.bytes, span.pattern, at, span.whole_bytes);
}

}  // namespace

void move_span(const CopySpan& span) noexcept {
  if (span.source == nullptr) return fill(span);
  FetchedPieces pieces(span.whole_bytes);
  LayoutCursor cursor = span.begin;
  for (std::uint64_t left = span.bytes; left > 0;) {
    const LayoutCursor::Piece piece = cursor.next(left);
    std::byte* to = span.destination + piece.memory_offset;
    const std::byte* from = span.source + piece.store_offset;
    if (piece.bytes < kLongPieceBytes) {
      pieces.add(to, from, piece.bytes);
    } else {
      pieces.drain();
      host_copy_part(to, from, piece.bytes, span.whole_bytes);
    }
    left -= piece.bytes;
  }
}

}  // namespace gpuio::core
