// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/spi/engine.h"

namespace gpuio::local {

/// Consecutive bytes of one segment that one system call after another moves until all are there. Reads and writes,
/// pool tasks and storage queue, system and simulator: all of them decide what a count means here.
struct Piece {
  std::uint64_t offset = 0;
  std::byte* memory = nullptr;
  std::uint32_t bytes = 0;
  std::uint32_t required = 0;  ///< Reads: fewer than this at the end of the store is a failure. Writes: all.
  std::uint32_t segment = 0;   ///< Its segment's position in the run.
  std::uint32_t done = 0;      ///< Where the next call starts.
  std::uint32_t reached = 0;   ///< Bytes that are there: more than `done` where an aligned call starts further back.
  std::uint32_t attempts = 0;  ///< Refused in a row.

  [[nodiscard]] std::uint64_t next_offset() const noexcept { return offset + done; }
  [[nodiscard]] std::span<std::byte> rest() const noexcept { return {memory + done, bytes - done}; }
};

enum class Step : std::uint8_t {
  done,
  again,        ///< A short count: go on from `next_offset`.
  interrupted,  ///< EINTR: the same call again.
  later,        ///< EAGAIN: the same call, not at once.
  end_of_file,  ///< The store ends before `required`.
  failed,       ///< The errno says why.
};

/// What follows from the result of a call that moved `piece.rest()` or the front of it. `alignment` (a power of two) is
/// what the next call's offset and memory must keep.
[[nodiscard]] Step advance(Piece& piece, spi::RunKind kind, std::int64_t result, std::uint32_t alignment) noexcept;

/// Walks the segments of a run and cuts them into pieces.
class PieceCursor {
 public:
  PieceCursor() = default;
  PieceCursor(std::span<const spi::Segment> segments, spi::RunKind kind) : segments_(segments), kind_(kind) {
    settle();
  }

  /// The next piece, of at most `bytes_max`; requires `!at_end()`.
  [[nodiscard]] Piece take(std::uint32_t bytes_max) noexcept;

  [[nodiscard]] bool at_end() const noexcept { return segment_ == segments_.size(); }
  [[nodiscard]] std::size_t segment() const noexcept { return segment_; }  ///< Of the next piece.
  void end() noexcept { segment_ = segments_.size(); }

 private:
  [[nodiscard]] std::uint32_t needed(const spi::Segment& segment) const noexcept;
  void settle() noexcept;  // steps over segments of which nothing is needed

  std::span<const spi::Segment> segments_;
  spi::RunKind kind_ = spi::RunKind::read;
  std::size_t segment_ = 0;
  std::uint32_t position_ = 0;
};

}  // namespace gpuio::local
