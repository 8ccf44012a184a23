// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

// The bytes of a pool, version 1, and why its protocols are right.
//
//   superblock | area of rank 0 | area of rank 1 | ... | chunks
//   area: claim line, beat line, ownership lines, index (buckets of one line), slots (four lines each)
//
// What is assumed of the memory, and no more (CXL 2 gives it to hosts that do not keep each other's caches coherent):
//   A1 An aligned store of 8 bytes is never seen in halves.
//   A2 What is seen of a line is what it was at some moment: stores to one line are seen in the order they were made.
//   A3 After flush + fence, a reader that invalidates first sees the flushed bytes or later ones.
//   A4 A cache may write back a dirty line, or fetch one, whenever it likes. Write-backs are of whole lines.
//   A5 What a process leaves dirty when it dies is written back, or lost, before another host takes its rank over:
//   within
//      L, or before whoever names the dead incarnation does so. On one host, and with CXL 3, caches agree and it is
//      moot.
// There are no atomic operations between members. By A4 two hosts that store to one line undo each other's stores, so
// EACH LINE HAS ONE WRITER: the member that holds its rank. Data is cut into blocks of whole lines for the same reason.
//
// Ranks. A member is a process that holds a rank. Ranks are given out like those of MPI, by whoever starts members, or
// found by trying. Should two try for one rank, the claim decides (a form of Fischer's algorithm; lease.h):
//     read the claim at r: it is free | write own nonce, flush, fence: done at w | if w - r > S/2: start again |
//     wait S | read again: own nonce? then own it, else give up.
//   No two own it: let P's store happen before Q's, x(P) < x(Q), r <= x <= w for each. P read its own nonce at
//   v(P) >= w(P) + S, so x(Q) > v(P) >= x(P) + S. Q read the claim at r(Q) >= w(Q) - S/2 >= x(Q) - S/2 > x(P): it was
//   P's then, and not free. Only differences of one clock at a time are compared, so clocks need not agree; S/2 against
//   S leaves room for rates that differ by two. How late a store becomes visible does not matter: w is after the fence.
//   Q may have overwritten P's claim by a store that came late, but then Q has not become owner, and P learns of it
//   when it renews: each renewal reads the claim first.
//
// Leases. An owner renews: at s it reads its claim and counts up its beat line; flush, fence: done at d. If d is within
// what it had, it may act until s + L/2, else its lease is lost; what it has first counts from the r of its claim. So
// it acts until L/2 after something that all could see. A successor that watches claim and beat stay the same for L by
// its own clock takes the rank with the next incarnation: the fencing epoch, which is in each slot that it writes. An
// owner that was stopped between looking at its clock and storing may still store later, to lines that its successor
// has. Nothing prevents that on plain memory. So free space of a dead incarnation is kept in quarantine for L more, and
// readers trust no byte that sequence and checksum do not prove: such a store costs an object, never gives a wrong
// byte.
//
// Chunks. Bit c in the ownership lines of a rank says that it claims chunk c (ownership.h):
//     set own bit, flush, fence | read that bit of all others: set somewhere? then clear own bit and try another chunk.
//   No two keep it: each sets before it reads, so whoever's fence is later sees the other's bit (Dekker). Both may
//   retreat. Nothing in a chunk is touched before. A bit is cleared when nothing of the chunk is in use.
//
// Names. To publish (member.h):
//     write name and header as `intent`, then the index word; flush, fence | look the name up at all other ranks:
//     found? then free the slot again | write the bytes; flush, fence | write the header as `published`; flush, fence.
//   No name is published twice: as with chunks, each shows its intent before it looks. Both may retreat, with an error
//   that says to try again. A header that says `published` is seen after its bytes (A3), and never changes (A2: its
//   first word is stored last) until it says `free`. Objects are immutable in between.
//
// Removal. header `free` with the next sequence, index word cleared; flush, fence; only then are the blocks used again.
//   A reader copies, invalidates the header and reads it again: the same sequence proves that the bytes were not yet
//   written over when they were copied. The checksum is for what protocols cannot see: lost lines, stray stores, broken
//   memory. A death before the fence may leave either change without the other. A published slot that the index does
//   not lead to is as removed as a free one, because others may have taken its name since.
//
// Index. A word gives 32 bits of the name's hash and a slot; it is only a hint, and the slot decides. A bucket has
//   seven words and a count of those that went past it to the next. Counts and words may lag after a crash, only to the
//   safe side: counts too high, words of free slots. Nothing waits for them but a name that is added.
//
// After a death, the next incarnation of the rank, by whomever held, reads its slots: `published` ones that the index
// leads to stay, all others are freed, words of the index that lead nowhere are cleared, bits of empty chunks too,
// after the quarantine.
namespace gpuio::pool {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

inline constexpr std::uint64_t kLineBytes = 64;
inline constexpr std::size_t kLineWords = 8;
inline constexpr std::uint64_t kWordBytes = 8;
using Line = std::array<std::uint64_t, kLineWords>;
static_assert(sizeof(Line) == kLineBytes);

inline constexpr std::uint64_t kMagic = 0x4c4f'4f50'4f49'5047;  // "GPIOPOOL"
inline constexpr std::uint32_t kVersion = 1;

/// Written once, by Pool::create: all else first, then its second line, then the rest from the last word to the magic.
struct Superblock {
  std::uint64_t magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t superblock_bytes = 128;
  std::array<std::uint8_t, 16> uuid{};
  std::uint64_t pool_bytes = 0;
  std::uint64_t chunk_bytes = 0;
  std::uint32_t block_bytes = 0;
  std::uint32_t members = 0;
  std::uint32_t slots = 0;                   ///< Of each member; a power of two, at least 8.
  std::uint32_t coherent = 0;                ///< 1: the hardware keeps all members' caches coherent (one host, CXL 3).
  std::uint64_t lease_ns = 0;                ///< L
  std::uint64_t settle_ns = 0;               ///< S
  std::array<std::uint32_t, 11> reserved{};  ///< Zero.
  std::uint32_t crc = 0;                     ///< CRC-32C of what stands before it.
};
static_assert(sizeof(Superblock) == 2 * kLineBytes);
static_assert(offsetof(Superblock, pool_bytes) == 32);
static_assert(offsetof(Superblock, lease_ns) == kLineBytes);
static_assert(offsetof(Superblock, crc) == 2 * kLineBytes - 4);

/// Who holds a rank: the first line of its area.
struct Claim {
  enum class State : std::uint64_t {
    never = 0,
    active = 1,
    left = 2,
    left_quarantine = 3,  ///< Left, but space of an incarnation that died before may still be written to.
  };
  std::uint64_t incarnation = 0;
  std::uint64_t nonce = 0;
  State state = State::never;
  bool operator==(const Claim&) const = default;
};

/// That it lives: the second line. All but the first two are for statistics.
struct Beat {
  std::uint64_t incarnation = 0;
  std::uint64_t count = 0;
  std::uint64_t objects = 0;
  std::uint64_t used_bytes = 0;
  std::uint64_t chunks = 0;
  bool operator==(const Beat&) const = default;
};

enum class SlotState : std::uint8_t { free = 0, intent = 1, published = 2 };

/// The first line of a slot; three lines of name follow.
struct SlotHeader {
  std::uint64_t sequence = 0;  ///< Counts the slot's changes of state; 56 bits.
  SlotState state = SlotState::free;
  std::uint64_t name_hash = 0;
  std::uint64_t offset = 0;  ///< From the pool's first byte; a multiple of the block.
  std::uint64_t bytes = 0;
  std::uint64_t incarnation = 0;
  std::uint32_t data_crc = 0;
  std::uint32_t name_bytes = 0;
  bool operator==(const SlotHeader&) const = default;
};

inline constexpr std::uint64_t kSlotBytes = 4 * kLineBytes;
inline constexpr std::uint64_t kNameBytesMax = kSlotBytes - kLineBytes;
inline constexpr std::size_t kBucketWords = kLineWords - 1;  ///< The last word counts those that went past.
inline constexpr std::uint32_t kSlotsPerBucket = 4;          ///< So that seven words rarely overflow.

/// State and sequence share the word that is stored last.
constexpr std::uint64_t slot_word(std::uint64_t sequence, SlotState state) noexcept {
  return sequence << 8 | static_cast<std::uint64_t>(state);
}

// Words as they lie in lines. Decoding a line of a member that was stopped while it wrote, or of broken memory, gives
// nothing. An all-zero line is what Pool::create wrote: a claim of nobody.
[[nodiscard]] Line encode(const Claim& claim) noexcept;
[[nodiscard]] Line encode(const Beat& beat) noexcept;
[[nodiscard]] Line encode(const SlotHeader& header) noexcept;
[[nodiscard]] bool decode(const Line& line, Claim& claim) noexcept;
[[nodiscard]] bool decode(const Line& line, Beat& beat) noexcept;
/// The checksum holds for published headers only: intents are changed in place on their way there.
[[nodiscard]] bool decode(const Line& line, SlotHeader& header) noexcept;

/// 64 bits of a name, never 0; part of the format.
[[nodiscard]] std::uint64_t hash_name(std::string_view name) noexcept;

constexpr std::uint64_t index_word(std::uint64_t hash, std::uint32_t slot) noexcept {
  return (hash & 0xffff'ffff'0000'0000) | (std::uint64_t{slot} + 1);
}

/// Where things are: worked out from a superblock that was checked.
struct Geometry {
  std::uint64_t pool_bytes = 0;
  std::uint64_t block_bytes = 0;
  std::uint64_t chunk_bytes = 0;
  std::uint32_t members = 0;
  std::uint32_t slots = 0;
  std::uint64_t lease_ns = 0;
  std::uint64_t settle_ns = 0;
  bool coherent = true;
  // Derived:
  std::uint32_t buckets = 0;
  std::uint64_t chunks = 0;
  std::uint64_t ownership_words = 0;
  std::uint64_t area_bytes = 0;
  std::uint64_t data_begin = 0;

  [[nodiscard]] std::uint64_t area(std::uint32_t rank) const noexcept { return kAreasBegin + rank * area_bytes; }
  [[nodiscard]] std::uint64_t claim(std::uint32_t rank) const noexcept { return area(rank); }
  [[nodiscard]] std::uint64_t beat(std::uint32_t rank) const noexcept { return area(rank) + kLineBytes; }
  [[nodiscard]] std::uint64_t ownership(std::uint32_t rank, std::uint64_t word) const noexcept {
    return area(rank) + 2 * kLineBytes + word * kWordBytes;
  }
  [[nodiscard]] std::uint64_t bucket(std::uint32_t rank, std::uint64_t number) const noexcept {
    return ownership(rank, ownership_words) + number * kLineBytes;
  }
  [[nodiscard]] std::uint64_t slot(std::uint32_t rank, std::uint32_t number) const noexcept {
    return bucket(rank, buckets) + number * kSlotBytes;
  }
  [[nodiscard]] std::uint64_t slot_name(std::uint32_t rank, std::uint32_t number) const noexcept {
    return slot(rank, number) + kLineBytes;
  }
  [[nodiscard]] std::uint64_t chunk(std::uint64_t number) const noexcept { return data_begin + number * chunk_bytes; }
  [[nodiscard]] std::uint64_t chunk_of(std::uint64_t offset) const noexcept {
    return (offset - data_begin) / chunk_bytes;
  }
  [[nodiscard]] std::uint64_t data_end() const noexcept { return chunk(chunks); }
  /// Blocks that an object of `bytes` takes, in bytes; even an empty one has an address.
  [[nodiscard]] std::uint64_t extent_bytes(std::uint64_t bytes) const noexcept {
    return bytes == 0 ? block_bytes : (bytes + block_bytes - 1) / block_bytes * block_bytes;
  }
  /// Whether a header's extent is one that the allocator could have given.
  [[nodiscard]] bool holds(std::uint64_t offset, std::uint64_t bytes) const noexcept {
    return offset >= data_begin && offset <= data_end() && bytes <= data_end() - offset &&
           (offset - data_begin) % block_bytes == 0 && extent_bytes(bytes) <= data_end() - offset;
  }

  static constexpr std::uint64_t kAreasBegin = 4096;
};

}  // namespace gpuio::pool
