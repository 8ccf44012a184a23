// SPDX-License-Identifier: Apache-2.0
#include "engine/local/piece.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>

namespace gpuio::local {
namespace {

Piece piece_of(std::uint32_t bytes, std::uint32_t required) {
  Piece piece;
  piece.offset = 8192;
  piece.bytes = bytes;
  piece.required = required;
  return piece;
}

TEST(Piece, ShortReadGoesOnWhereItEnded) {
  Piece piece = piece_of(4096, 4096);
  EXPECT_EQ(advance(piece, spi::RunKind::read, 1000, 1), Step::again);
  EXPECT_EQ(piece.next_offset(), 8192U + 1000);
  EXPECT_EQ(piece.rest().size(), 3096U);
  EXPECT_EQ(advance(piece, spi::RunKind::read, 3096, 1), Step::done);
}

TEST(Piece, ShortDirectReadGoesOnFromTheAlignedBytesBefore) {
  Piece piece = piece_of(8192, 8192);
  EXPECT_EQ(advance(piece, spi::RunKind::read, 1500, 512), Step::again);
  EXPECT_EQ(piece.done, 1024U);
  EXPECT_EQ(piece.reached, 1500U);
}

TEST(Piece, DirectReadThatRepeatsTheSameTailIsAtTheEnd) {
  Piece piece = piece_of(8192, 8192);
  ASSERT_EQ(advance(piece, spi::RunKind::read, 1500, 512), Step::again);
  EXPECT_EQ(advance(piece, spi::RunKind::read, 476, 512), Step::end_of_file);
}

TEST(Piece, EndOfStoreBehindTheRequiredBytesIsNoFailure) {
  Piece piece = piece_of(8192, 1500);
  EXPECT_EQ(advance(piece, spi::RunKind::read, 1500, 512), Step::done);
}

TEST(Piece, EndOfStoreBeforeTheRequiredBytesIsOne) {
  Piece piece = piece_of(8192, 1500);
  EXPECT_EQ(advance(piece, spi::RunKind::read, 0, 512), Step::end_of_file);
}

TEST(Piece, InterruptionsAndRefusalsAreToldApartFromErrors) {
  Piece piece = piece_of(4096, 4096);
  EXPECT_EQ(advance(piece, spi::RunKind::read, -EINTR, 1), Step::interrupted);
  EXPECT_EQ(advance(piece, spi::RunKind::read, -EAGAIN, 1), Step::later);
  EXPECT_EQ(advance(piece, spi::RunKind::read, -EIO, 1), Step::failed);
  EXPECT_EQ(piece.done, 0U);
}

TEST(Piece, WriteThatTakesNothingFailsInsteadOfTurningForEver) {
  Piece piece = piece_of(4096, 0);
  EXPECT_EQ(advance(piece, spi::RunKind::write, 4000, 1), Step::again);
  EXPECT_EQ(advance(piece, spi::RunKind::write, 0, 1), Step::failed);
}

TEST(Piece, WriteNeedsEveryByteWhateverIsRequired) {
  Piece piece = piece_of(4096, 10);
  EXPECT_EQ(advance(piece, spi::RunKind::write, 2048, 1), Step::again);
  EXPECT_EQ(advance(piece, spi::RunKind::write, 2048, 1), Step::done);
}

TEST(PieceCursor, CutsSegmentsAndLeavesOutWhatNobodyNeeds) {
  std::array<std::byte, 64> memory{};
  const std::array segments{spi::Segment{100, memory.data(), 10, 10}, spi::Segment{500, memory.data() + 16, 8, 0},
                            spi::Segment{700, memory.data() + 32, 12, 5}};
  PieceCursor cursor(segments, spi::RunKind::read);
  const Piece first = cursor.take(6);
  EXPECT_EQ(first.offset, 100U);
  EXPECT_EQ(first.required, 6U);
  const Piece second = cursor.take(6);
  EXPECT_EQ(second.offset, 106U);
  EXPECT_EQ(second.memory, memory.data() + 6);
  EXPECT_EQ(second.bytes, 4U);
  const Piece third = cursor.take(6);
  EXPECT_EQ(third.segment, 2U);
  EXPECT_EQ(third.bytes, 6U);
  EXPECT_EQ(third.required, 5U);
  EXPECT_TRUE(cursor.at_end());
}

}  // namespace
}  // namespace gpuio::local
