// SPDX-License-Identifier: Apache-2.0
#include "engine/local/piece.h"

#include "base/planted_bug.h"

#include <algorithm>
#include <cerrno>

namespace gpuio::local {

Step advance(Piece& piece, spi::RunKind kind, std::int64_t result, std::uint32_t alignment) noexcept {
  if (result < 0) {
    if (result == -EINTR) return Step::interrupted;
    if (result == -EAGAIN) return Step::later;
    return Step::failed;
  }
  piece.attempts = 0;
  const auto total = static_cast<std::uint32_t>(piece.done + std::min<std::int64_t>(result, piece.bytes - piece.done));
  const bool moved = total > piece.reached;
  piece.reached = std::max(piece.reached, total);
  if (piece.reached >= piece.bytes || base::planted_bug("short_read_ends_the_run")) return Step::done;
  if (kind == spi::RunKind::write) {
    // A write that takes nothing and gives no reason would be repeated for ever.
    if (!moved) return Step::failed;
  } else {
    if (piece.reached >= piece.required) return Step::done;
    if (!moved) return Step::end_of_file;
  }
  piece.done = piece.reached & ~(alignment - 1);
  return Step::again;
}

std::uint32_t PieceCursor::needed(const spi::Segment& segment) const noexcept {
  return kind_ == spi::RunKind::write ? segment.bytes : std::min(segment.required, segment.bytes);
}

void PieceCursor::settle() noexcept {
  while (segment_ < segments_.size() && position_ >= needed(segments_[segment_])) {
    ++segment_;
    position_ = 0;
  }
}

Piece PieceCursor::take(std::uint32_t bytes_max) noexcept {
  const spi::Segment& segment = segments_[segment_];
  Piece piece;
  piece.offset = segment.offset + position_;
  piece.memory = segment.memory + position_;
  piece.bytes = std::min(bytes_max, segment.bytes - position_);
  piece.required = std::min(piece.bytes, needed(segment) - position_);
  piece.segment = static_cast<std::uint32_t>(segment_);
  position_ += piece.bytes;
  settle();
  return piece;
}

}  // namespace gpuio::local
