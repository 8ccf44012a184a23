// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/try.h"
#include "engine/mem/pool/access.h"
#include "engine/mem/pool/format.h"
#include "gpuio/result.hpp"

namespace gpuio::pool {

/// A slot as it was when it was read.
struct Found {
  std::uint32_t rank = 0;
  std::uint32_t slot = 0;
  SlotHeader header;
};

/// What looking a name up gave.
struct Lookup {
  std::optional<Found> found;  ///< Published, or else an intent of that name.
  bool damaged = false;        ///< A slot that the index leads to can't be read; the name may have been there.

  [[nodiscard]] bool published() const noexcept { return found && found->header.state == SlotState::published; }
};

/// Reads all members' slots. Writes nothing. Thread safety: as its Access (real memory: any thread).
template <class Access>
class Directory {
 public:
  Directory(Access& access, const Geometry& geometry) : access_(access), geometry_(geometry) {}

  /// At any rank; `first` is tried first. Costs one line for each rank, three more for a name that is there.
  [[nodiscard]] Lookup find(std::string_view name, std::uint64_t hash, std::uint32_t first = 0) const {
    const std::uint64_t bucket = hash & (geometry_.buckets - 1);
    // All at once: on memory that is not coherent, each is a miss.
    for (std::uint32_t rank = 0; rank < geometry_.members; ++rank) {
      access_.template invalidate<"find.bucket.invalidate">(geometry_.bucket(rank, bucket), kLineBytes);
    }
    access_.template load_fence<"find.bucket.load_fence">();
    Lookup best;
    for (std::uint32_t i = 0; i < geometry_.members && !best.published(); ++i) {
      const std::uint32_t rank = first + i < geometry_.members ? first + i : first + i - geometry_.members;
      find_in(rank, name, hash, best);
    }
    return best;
  }

  /// At the other ranks only: whether a name that was just claimed is another's too.
  [[nodiscard]] Lookup find_elsewhere(std::string_view name, std::uint64_t hash, std::uint32_t own) const {
    const std::uint64_t bucket = hash & (geometry_.buckets - 1);
    for (std::uint32_t rank = 0; rank < geometry_.members; ++rank) {
      if (rank == own) continue;
      access_.template invalidate<"claim_name.bucket.invalidate">(geometry_.bucket(rank, bucket), kLineBytes);
    }
    access_.template load_fence<"claim_name.bucket.load_fence">();
    Lookup best;
    for (std::uint32_t rank = 0; rank < geometry_.members && !best.published(); ++rank) {
      if (rank != own) find_in(rank, name, hash, best);
    }
    return best;
  }

  /// At one rank, whose first bucket the caller has invalidated if another writes it. Keeps what is better in `best`.
  void find_in(std::uint32_t rank, std::string_view name, std::uint64_t hash, Lookup& best) const {
    std::uint64_t bucket = hash & (geometry_.buckets - 1);
    for (std::uint32_t visited = 0; visited < geometry_.buckets; ++visited) {
      const std::uint64_t line = geometry_.bucket(rank, bucket);
      if (visited != 0) {
        access_.template invalidate<"find.next_bucket.invalidate">(line, kLineBytes);
        access_.template load_fence<"find.next_bucket.load_fence">();
      }
      for (std::size_t i = 0; i < kBucketWords; ++i) {
        const std::uint64_t word = access_.load(line + i * kWordBytes);
        const std::uint64_t slot = (word & 0xffff'ffff) - 1;
        if (word == 0 || (word ^ hash) >> 32 != 0 || slot >= geometry_.slots) continue;
        look_at(rank, static_cast<std::uint32_t>(slot), name, hash, best);
        if (best.published()) return;
      }
      if (access_.load(line + kBucketWords * kWordBytes) == 0) return;
      bucket = (bucket + 1) & (geometry_.buckets - 1);
    }
  }

  /// The header of a slot. Nothing if it can't be read: it was being changed several times in a row, or is damaged.
  [[nodiscard]] std::optional<SlotHeader> header(std::uint32_t rank, std::uint32_t slot) const {
    const std::uint64_t offset = geometry_.slot(rank, slot);
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      access_.template invalidate<"find.slot.invalidate">(offset, kSlotBytes);
      access_.template load_fence<"find.slot.load_fence">();
      const Line line = load_line(access_, offset);
      SlotHeader header;
      const bool readable = decode(line, header);
      // The first word is stored last: what it says twice is what the others belonged to.
      if (access_.load(offset) != line[0]) continue;
      if (!readable || (header.state == SlotState::published && !geometry_.holds(header.offset, header.bytes))) break;
      return header;
    }
    return std::nullopt;
  }

  /// The name of a slot; meaningful while its header stays the same.
  [[nodiscard]] std::string name_of(const Found& found) const {
    std::string name(found.header.name_bytes, '\0');
    access_.copy_out(geometry_.slot_name(found.rank, found.slot), std::as_writable_bytes(std::span(name)));
    return name;
  }

  /// ok while the object is there: asked after bytes were read, it proves that they had not been written over.
  [[nodiscard]] Status still_there(const Found& found) const {
    const std::uint64_t offset = geometry_.slot(found.rank, found.slot);
    access_.template invalidate<"read.header.invalidate">(offset, kWordBytes);
    access_.template load_fence<"read.header.load_fence">();
    if (access_.load(offset) == slot_word(found.header.sequence, found.header.state)) return {};
    return Status(Code::stale, "the object was removed from the pool").with("rank", found.rank);
  }

  /// Copies the object's bytes to `into`, which is as large. Fails with `stale` (removed), `corrupt` (checksum).
  [[nodiscard]] Status read(const Found& found, std::span<std::byte> into) const {
    refresh(found);
    access_.copy_out(found.header.offset, into);
    GPUIO_TRY(still_there(found));
    return access_.checksum(into) == found.header.data_crc ? Status() : damaged(found);
  }

  /// Checks the bytes where they are; fails as `read`.
  [[nodiscard]] Status check(const Found& found) const {
    refresh(found);
    const std::uint32_t crc = access_.checksum(found.header.offset, found.header.bytes);
    GPUIO_TRY(still_there(found));
    return crc == found.header.data_crc ? Status() : damaged(found);
  }

 private:
  static constexpr int kAttempts = 8;

  void refresh(const Found& found) const {
    access_.template invalidate<"read.data.invalidate">(found.header.offset, found.header.bytes);
    access_.template load_fence<"read.data.load_fence">();
  }

  static Status damaged(const Found& found) {
    return Status(Code::corrupt, "the object's bytes fail their checksum")
        .with_data_loss(true)
        .with("rank", found.rank)
        .with("offset", found.header.offset)
        .with("length", found.header.bytes);
  }

  void look_at(std::uint32_t rank, std::uint32_t slot, std::string_view name, std::uint64_t hash, Lookup& best) const {
    const std::optional<SlotHeader> header = this->header(rank, slot);
    if (!header) {
      best.damaged = true;
      return;
    }
    if (header->state == SlotState::free || header->name_hash != hash || header->name_bytes != name.size()) return;
    if (has_name(geometry_.slot_name(rank, slot), name)) best.found = Found{rank, slot, *header};
  }

  [[nodiscard]] bool has_name(std::uint64_t offset, std::string_view name) const {
    while (!name.empty()) {
      std::uint64_t wanted = 0;
      const std::size_t taken = std::min(name.size(), sizeof(wanted));
      std::memcpy(&wanted, name.data(), taken);
      // The rest of the last word is zero: names are written in whole words.
      if (access_.load(offset) != wanted) return false;
      name.remove_prefix(taken);
      offset += kWordBytes;
    }
    return true;
  }

  Access& access_;
  const Geometry& geometry_;
};

}  // namespace gpuio::pool
