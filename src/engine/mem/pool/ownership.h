// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/mem/pool/access.h"
#include "engine/mem/pool/format.h"

namespace gpuio::pool {

/// A set of chunks.
class ChunkSet {
 public:
  explicit ChunkSet(std::uint64_t words = 0) : words_(words) {}
  [[nodiscard]] bool has(std::uint64_t chunk) const noexcept { return (words_[chunk / 64] >> chunk % 64 & 1) != 0; }
  void add(std::uint64_t chunk) noexcept { words_[chunk / 64] |= std::uint64_t{1} << chunk % 64; }
  void remove(std::uint64_t chunk) noexcept { words_[chunk / 64] &= ~(std::uint64_t{1} << chunk % 64); }
  [[nodiscard]] std::vector<std::uint64_t>& words() noexcept { return words_; }
  [[nodiscard]] const std::vector<std::uint64_t>& words() const noexcept { return words_; }
  /// The first run of `count` chunks below `end` that are not in it, searched from `from` on and then from 0.
  [[nodiscard]] std::optional<std::uint64_t> gap(std::uint64_t count, std::uint64_t from, std::uint64_t end) const {
    for (const std::uint64_t start : {from, std::uint64_t{0}}) {
      std::uint64_t run = 0;
      for (std::uint64_t chunk = start; chunk < end; ++chunk) {
        run = has(chunk) ? 0 : run + 1;
        if (run == count) return chunk + 1 - count;
      }
    }
    return std::nullopt;
  }

 private:
  std::vector<std::uint64_t> words_;
};

/// The chunks of one rank, which its holder takes and gives back: the protocol "Chunks" of format.h. Keeps a copy of
/// what it wrote. Thread safety: none.
template <class Access>
class Ownership {
 public:
  Ownership(Access& access, const Geometry& geometry, std::uint32_t rank)
      : access_(access), geometry_(geometry), rank_(rank), own_(geometry.ownership_words) {
    // Ranks begin at different places, so that they rarely try for the same chunk.
    cursor_ = geometry.chunks * rank / geometry.members;
  }

  [[nodiscard]] bool has(std::uint64_t chunk) const noexcept { return own_.has(chunk); }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

  /// What the rank's lines say: the start of a new incarnation.
  void read_own() {
    count_ = 0;
    for (std::uint64_t word = 0; word < geometry_.ownership_words; ++word) {
      own_.words()[word] = access_.load(geometry_.ownership(rank_, word));
    }
    for (std::uint64_t chunk = 0; chunk < geometry_.ownership_words * 64; ++chunk) {
      if (own_.has(chunk) && chunk >= geometry_.chunks) own_.remove(chunk);  // No pool has these: damage.
      if (own_.has(chunk)) ++count_;
    }
  }

  /// Takes `count` neighbouring chunks that nobody has, or nothing.
  [[nodiscard]] std::optional<std::uint64_t> take(std::uint64_t count) {
    ChunkSet taken = others();
    for (std::size_t word = 0; word < own_.words().size(); ++word) taken.words()[word] |= own_.words()[word];
    while (const std::optional<std::uint64_t> first = taken.gap(count, cursor_, geometry_.chunks)) {
      if (claim(*first, count)) {
        cursor_ = *first + count;
        return first;
      }
      for (std::uint64_t chunk = *first; chunk < *first + count; ++chunk) taken.add(chunk);
    }
    return std::nullopt;
  }

  /// Claims these, which it does not have. False: another has one of them.
  [[nodiscard]] bool claim(std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t chunk = first; chunk < first + count; ++chunk) {
      own_.add(chunk);
    }
    count_ += count;
    write<"chunk.claim.flush">(first, count);
    access_.template fence<"chunk.claim.fence">();
    const ChunkSet taken = others();
    for (std::uint64_t chunk = first; chunk < first + count; ++chunk) {
      if (!taken.has(chunk)) continue;
      release(first, count);
      return false;
    }
    return true;
  }

  /// Gives these back; no byte of them may be in use, or dirty in a cache. The fence is for a member that idles next: a
  /// line that it still had to write back could come over its successor's.
  void release(std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t chunk = first; chunk < first + count; ++chunk) own_.remove(chunk);
    count_ -= count;
    write<"chunk.release.flush">(first, count);
    access_.template fence<"chunk.release.fence">();
  }

 private:
  template <SiteName kFlush>
  void write(std::uint64_t first, std::uint64_t count) {
    const std::uint64_t begin = first / 64;
    const std::uint64_t end = (first + count - 1) / 64 + 1;
    for (std::uint64_t word = begin; word < end; ++word) {
      access_.store(geometry_.ownership(rank_, word), own_.words()[word]);
    }
    access_.template flush<kFlush>(geometry_.ownership(rank_, begin), (end - begin) * kWordBytes);
  }

  [[nodiscard]] ChunkSet others() {
    const std::uint64_t words = geometry_.ownership_words;
    for (std::uint32_t rank = 0; rank < geometry_.members; ++rank) {
      if (rank == rank_) continue;
      access_.template invalidate<"chunk.look.invalidate">(geometry_.ownership(rank, 0), words * kWordBytes);
    }
    access_.template load_fence<"chunk.look.load_fence">();
    ChunkSet taken(words);
    for (std::uint32_t rank = 0; rank < geometry_.members; ++rank) {
      if (rank == rank_) continue;
      for (std::uint64_t word = 0; word < words; ++word) {
        taken.words()[word] |= access_.load(geometry_.ownership(rank, word));
      }
    }
    return taken;
  }

  Access& access_;
  const Geometry& geometry_;
  const std::uint32_t rank_;
  ChunkSet own_;
  std::uint64_t count_ = 0;
  std::uint64_t cursor_ = 0;
};

}  // namespace gpuio::pool
