// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/mem/pool/access.h"
#include "engine/mem/pool/format.h"

namespace gpuio::pool {

/// The index of one rank, as its holder changes it. There are more words than slots, so there is always room for one.
/// Thread safety: none.
template <class Access>
class Index {
 public:
  Index(Access& access, const Geometry& geometry, std::uint32_t rank)
      : access_(access), geometry_(geometry), rank_(rank) {}

  /// Adds a word and starts to flush it. Readers that follow the counts find it as soon as they see it.
  void add(std::uint64_t hash, std::uint32_t slot) {
    const std::uint64_t word = index_word(hash, slot);
    for (std::uint64_t bucket = home(hash);; bucket = next(bucket)) {
      const std::uint64_t line = geometry_.bucket(rank_, bucket);
      for (std::size_t i = 0; i < kBucketWords; ++i) {
        if (access_.load(line + i * kWordBytes) != 0) continue;
        access_.store(line + i * kWordBytes, word);
        access_.template flush<"index.add.flush">(line, kLineBytes);
        return;
      }
      const std::uint64_t count = line + kBucketWords * kWordBytes;
      access_.store(count, access_.load(count) + 1);
      access_.template flush<"index.count.flush">(line, kLineBytes);
    }
  }

  /// Takes it out, and starts to flush that. Until it is seen, it leads to a slot that says `free`; but a line that
  /// stays dirty would be written back some day, over what the next holder of the rank, on another host, wrote there.
  void remove(std::uint64_t hash, std::uint32_t slot) {
    const std::uint64_t word = index_word(hash, slot);
    std::uint64_t bucket = home(hash);
    for (std::uint32_t visited = 0; visited < geometry_.buckets; ++visited, bucket = next(bucket)) {
      const std::uint64_t line = geometry_.bucket(rank_, bucket);
      for (std::size_t i = 0; i < kBucketWords; ++i) {
        if (access_.load(line + i * kWordBytes) != word) continue;
        access_.store(line + i * kWordBytes, 0);
        access_.template flush<"index.remove.flush">(line, kLineBytes);
        uncount(home(hash), bucket);
        return;
      }
    }
  }

  /// After a death: leaves the words of the slots that `hashes` has (0: none), clears all others, and counts anew.
  /// Words that stay are never out of sight. Returns how many there are.
  std::uint64_t rebuild(const std::vector<std::uint64_t>& hashes) {
    std::vector<bool> seen(geometry_.slots);
    std::uint64_t words = 0;
    std::vector<std::uint64_t> counts(geometry_.buckets);
    for (std::uint64_t bucket = 0; bucket < geometry_.buckets; ++bucket) {
      for (std::size_t i = 0; i < kBucketWords; ++i) {
        const std::uint64_t offset = geometry_.bucket(rank_, bucket) + i * kWordBytes;
        const std::uint64_t word = access_.load(offset);
        if (word == 0) continue;
        const std::uint64_t slot = (word & 0xffff'ffff) - 1;
        const bool right = slot < geometry_.slots && hashes[slot] != 0 && !seen[slot] &&
                           word == index_word(hashes[slot], static_cast<std::uint32_t>(slot));
        if (!right) {
          access_.store(offset, 0);
          continue;
        }
        seen[slot] = true;
        ++words;
        for (std::uint64_t past = home(hashes[slot]); past != bucket; past = next(past)) ++counts[past];
      }
    }
    for (std::uint64_t bucket = 0; bucket < geometry_.buckets; ++bucket) {
      const std::uint64_t offset = geometry_.bucket(rank_, bucket) + kBucketWords * kWordBytes;
      if (access_.load(offset) != counts[bucket]) access_.store(offset, counts[bucket]);
    }
    access_.template flush<"index.rebuild.flush">(geometry_.bucket(rank_, 0), geometry_.buckets * kLineBytes);
    return words;
  }

 private:
  [[nodiscard]] std::uint64_t home(std::uint64_t hash) const noexcept { return hash & (geometry_.buckets - 1); }
  [[nodiscard]] std::uint64_t next(std::uint64_t bucket) const noexcept {
    return (bucket + 1) & (geometry_.buckets - 1);
  }

  void uncount(std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t bucket = from; bucket != to; bucket = next(bucket)) {
      const std::uint64_t count = geometry_.bucket(rank_, bucket) + kBucketWords * kWordBytes;
      const std::uint64_t past = access_.load(count);
      if (past != 0) access_.store(count, past - 1);
      access_.template flush<"index.uncount.flush">(count, kWordBytes);
    }
  }

  Access& access_;
  const Geometry& geometry_;
  const std::uint32_t rank_;
};

}  // namespace gpuio::pool
