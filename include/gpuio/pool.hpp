// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gpuio/memory.hpp"
#include "gpuio/result.hpp"

namespace gpuio {

namespace pool {
class AnyPool;
class AnyMember;
struct Found;
struct Place;
}  // namespace pool

/// How a pool is laid out; written into it once, the same for all who open it.
struct PoolOptions {
  std::uint32_t members_max = 16;               ///< Ranks, 1 to 1024. A name is looked up at each.
  std::uint32_t objects_per_member_max = 4096;  ///< A power of two, from 8 on; 272 bytes of the pool each.
  std::uint32_t block_bytes =
      4096;                       ///< What objects begin at multiples of and are rounded up to: a power of two, >= 64.
  std::uint64_t chunk_bytes = 0;  ///< What members take of the pool at once: a power of two; 0: about 1/256 of it.
  /// The hardware keeps all members' caches coherent: processes of one host, CXL 3. If not (hosts on one CXL 2 device),
  /// lines are flushed and invalidated where that is needed.
  bool coherent = true;
  std::uint64_t lease_ns = 10'000'000'000;  ///< A member that was silent for so long is taken for dead.
  std::uint64_t settle_ns = 10'000'000;     ///< What joining takes at least; up to a quarter of the lease.
  bool overwrite = false;                   ///< Also where there is a pool already: its objects are lost.
};

/// As which member to join.
struct JoinOptions {
  static constexpr std::uint32_t kAnyRank = ~std::uint32_t{0};  ///< The first rank that nobody holds.

  /// 0 to members_max - 1. Joining with the rank of a member that died takes over its objects, and frees what it had
  /// begun. It waits until the dead member's lease has run out.
  std::uint32_t rank = kAnyRank;
  /// This incarnation of the rank is known to have ended (its process was reaped, its host is off): no waiting for it.
  std::uint64_t dead_incarnation = 0;
};

/// An object as it was when it was looked at.
struct PoolObjectInfo {
  std::string name;               ///< 1 to 192 bytes.
  std::uint64_t bytes = 0;        ///< Its size.
  std::uint32_t rank = 0;         ///< Of the member that published it, and may remove it.
  std::uint64_t incarnation = 0;  ///< Of that rank, when it was published.
};

/// A member as its lines describe it.
struct PoolMemberInfo {
  /// What became of the rank.
  enum class State : std::uint8_t {
    never,       ///< Nobody has held it.
    active,      ///< Held; whether by the living is told by whether `beats` changes within the lease.
    left,        ///< Given back.
    unreadable,  ///< Its holder died while claiming it, or memory is damaged; joining with it mends that.
  };
  std::uint32_t rank = 0;         ///< Which.
  State state = State::never;     ///< What became of it.
  std::uint64_t incarnation = 0;  ///< Counts its holders.
  std::uint64_t beats = 0;        ///< Counts their renewals.
  std::uint64_t objects = 0;      ///< As of its last renewal, reservations included.
  std::uint64_t used_bytes = 0;   ///< As of its last renewal, in whole blocks.
  std::uint64_t chunks = 0;       ///< As of its last renewal.
};

/// What this handle's copies, its members and its objects did, in this process.
struct PoolStatistics {
  std::uint64_t published = 0;        ///< Objects.
  std::uint64_t published_bytes = 0;  ///< Their bytes.
  std::uint64_t removed = 0;          ///< Objects.
  std::uint64_t found = 0;            ///< Names that were there.
  std::uint64_t not_found = 0;        ///< Names that were not.
  std::uint64_t read = 0;             ///< Objects, copied or viewed, and proven.
  std::uint64_t read_bytes = 0;       ///< Their bytes.
  std::uint64_t stale = 0;            ///< Reads that failed because the object was removed.
  std::uint64_t corrupt = 0;          ///< Reads and lookups that failed because memory does not hold what it should.
};

/// What the superblock says, and how this process reaches the memory.
struct PoolInfo {
  std::array<std::uint8_t, 16> uuid{};       ///< Drawn when the pool was made.
  std::uint64_t pool_bytes = 0;              ///< All of it.
  std::uint64_t data_bytes = 0;              ///< Room for objects.
  std::uint64_t block_bytes = 0;             ///< As PoolOptions.
  std::uint64_t chunk_bytes = 0;             ///< As PoolOptions.
  std::uint32_t members_max = 0;             ///< As PoolOptions.
  std::uint32_t objects_per_member_max = 0;  ///< As PoolOptions.
  std::uint64_t lease_ns = 0;                ///< As PoolOptions.
  bool coherent = true;                      ///< As PoolOptions.
  std::string_view flushes_by;               ///< "nothing" where coherent, or "clwb", "clflushopt", "clflush".
};

/// What Pool::verify found.
struct PoolReport {
  std::uint64_t objects = 0;          ///< Published ones.
  std::uint64_t object_bytes = 0;     ///< Of them, all checked.
  std::uint64_t unfinished = 0;       ///< Being published or removed, or left so by a member that died.
  std::vector<std::string> findings;  ///< A line each, the first hundred; empty: the pool is sound.
};

/// An object of a pool: a reference that stays usable as long as the object is there. What is removed gives an error,
/// never other bytes. Copyable; holds the pool's memory. Thread safety: as an int.
class PoolObject {
 public:
  [[nodiscard]] std::uint64_t size() const noexcept;  ///< In bytes.
  [[nodiscard]] std::uint32_t rank() const noexcept;  ///< Of the member that published it.

  /// Copies all of it to `into`, which has size() bytes. Proven by sequence and checksum; one pass over the bytes, no
  /// system call. Fails with `stale` (it was removed, before or while it was read), `corrupt` (memory is damaged),
  /// `invalid_argument` (size); what is in `into` then is not the object.
  [[nodiscard]] Status read(std::span<std::byte> into) const;

  /// The bytes where they lie, proven now. To be sure of what was made of them, ask `check` afterwards: the object may
  /// have been removed in the meantime, and others be written there. Fails as `read`.
  [[nodiscard]] Result<std::span<const std::byte>> view() const;
  /// ok if the object is still there, and so what was read of its view before was right. `stale` if not. Reads one
  /// line.
  [[nodiscard]] Status check() const;

 private:
  friend class Pool;
  PoolObject() = default;
  std::shared_ptr<const pool::AnyPool> pool_;
  std::uint32_t rank_ = 0;
  std::uint32_t slot_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint32_t crc_ = 0;
};

/// A name that is taken, and memory of the pool to write its bytes to. Destroyed without `commit`, both are given back.
/// Movable. Thread safety: one thread at a time.
class PoolReservation {
 public:
  PoolReservation(PoolReservation&&) noexcept;             ///< The other is empty then.
  PoolReservation& operator=(PoolReservation&&) noexcept;  ///< Gives back what it held.
  ~PoolReservation();

  /// Where to write; empty after commit. A GPU or another device may write there too.
  [[nodiscard]] std::span<std::byte> bytes() const noexcept;
  /// Publishes the bytes as they are now; they may not change from here on. Costs one pass over them, for the checksum.
  /// Fails with `stale` (the lease was lost), `closed` (no reservation).
  [[nodiscard]] Status commit();

 private:
  friend class PoolMember;
  PoolReservation(std::shared_ptr<pool::AnyMember> member, std::unique_ptr<pool::Place> place,
                  std::span<std::byte> bytes);
  std::shared_ptr<pool::AnyMember> member_;
  std::unique_ptr<pool::Place> place_;
  std::span<std::byte> bytes_;
};

/// One who publishes: the holder of a rank. Destroyed, it leaves; a process that dies leaves the rank to be taken over.
///
/// Its lease holds half of `lease_ns` from each renewal. Every call of it renews it when an eighth has passed; a member
/// that may make none for longer, since it is idle or reads (Pool::find is no call of a member), calls `renew`. A lost
/// lease is never regained: all calls fail with `stale`, and the process joins again. Movable. Thread safety: all
/// members, any thread; destruction from one.
class PoolMember {
 public:
  PoolMember(PoolMember&&) noexcept = default;
  PoolMember& operator=(PoolMember&&) noexcept;  ///< Leaves with what it was.
  ~PoolMember();

  [[nodiscard]] std::uint32_t rank() const noexcept;         ///< Which.
  [[nodiscard]] std::uint64_t incarnation() const noexcept;  ///< The fencing epoch: later holders have higher ones.
  /// Objects that the rank had published and that could not be taken over, because their slots are damaged.
  [[nodiscard]] std::uint64_t lost_objects() const noexcept;

  /// Makes `bytes` an object. Immutable from then on; all members see it when this returns.
  /// Fails with `invalid_argument` (name), `already_exists`, `busy` (another publishes the same name now: try again),
  /// `no_space`, `stale` (lease), `corrupt` (a damaged slot may have this name). Nothing is published then.
  [[nodiscard]] Status publish(std::string_view name, std::span<const std::byte> bytes);
  /// Takes the name, and memory to write `bytes` bytes to in place. Fails as `publish`.
  [[nodiscard]] Result<PoolReservation> reserve(std::string_view name, std::uint64_t bytes);
  /// Removes an object of this rank. Readers get `stale` from when this returns, and its memory is used again.
  /// Fails with `not_found`, `permission_denied` (another rank's), `busy` (reserved, not committed), `stale` (lease).
  [[nodiscard]] Status remove(std::string_view name);

  /// Renews the lease. Gives the time until it has to be done again. Fails with `stale`.
  [[nodiscard]] Result<std::uint64_t> renew();
  /// Gives the rank back; its objects stay, and belong to who joins with it next. Fails with `busy` (a reservation is
  /// open), `stale` (lease), `closed` (left).
  [[nodiscard]] Status leave();

 private:
  friend class Pool;
  explicit PoolMember(std::shared_ptr<pool::AnyMember> member);
  std::shared_ptr<pool::AnyMember> member_;
};

/// Memory that several hosts or processes share, as named, immutable objects.
///
/// Works on any memory that host code may load and store and that all see: a memfd, a file, a dax device, in one
/// process or many, on hosts that share a CXL device. Assumes no atomic operations between members, and no coherent
/// caches unless PoolOptions say so. Any process at all may die at any instruction. Copyable handle; keeps the memory
/// pinned. Thread safety: all members, any thread.
class Pool {
 public:
  /// Makes a pool of `memory`, whose first byte is at a multiple of 64. Nobody else may use it meanwhile.
  /// Fails with `already_exists` (a pool, unless `overwrite`), `invalid_argument` (names the option), `out_of_range`
  /// (too small), `unsupported` (not loadable by host code; not coherent, and this processor can't flush), `stale`.
  [[nodiscard]] static Result<Pool> create(const Slice& memory, const PoolOptions& options = {});
  /// Opens the pool that is there. Fails with `not_found` (no pool), `unsupported` (made by an older or newer version;
  /// as create), `corrupt` (superblock), `out_of_range` (larger than `memory`), `invalid_argument` (alignment),
  /// `stale`.
  [[nodiscard]] static Result<Pool> open(const Slice& memory);

  [[nodiscard]] const PoolInfo& info() const noexcept;  ///< What the superblock says.

  /// Takes a rank, blocking: `settle_ns`, and if the rank's last holder did not leave, what is left of its lease.
  /// Fails with `busy` (its holder lives), `resource_exhausted` (no rank is free), `out_of_range` (rank).
  [[nodiscard]] Result<PoolMember> join(const JoinOptions& options = {}) const;

  /// The object of that name. Needs no rank and writes nothing. Reads a line of each rank, then the object's two to
  /// four; no system call. Fails with `not_found`, `corrupt` (a damaged slot may have this name), `invalid_argument`.
  [[nodiscard]] Result<PoolObject> find(std::string_view name) const;

  [[nodiscard]] std::vector<PoolObjectInfo> objects() const;  ///< All; reads every slot.
  [[nodiscard]] std::vector<PoolMemberInfo> members() const;  ///< One for each rank.
  [[nodiscard]] PoolStatistics statistics() const noexcept;   ///< Of this process.
  /// Reads everything and checks it against the rest: lines, names, space, checksums. What members change meanwhile may
  /// be reported; ask again.
  [[nodiscard]] PoolReport verify() const;

 private:
  explicit Pool(std::shared_ptr<const pool::AnyPool> pool);
  std::shared_ptr<const pool::AnyPool> pool_;
};

}  // namespace gpuio
