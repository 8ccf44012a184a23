// SPDX-License-Identifier: Apache-2.0
#include "gpuio/pool.hpp"

#include <cerrno>
#include <ctime>
#include <random>
#include <utility>

#include "base/try.h"
#include "engine/mem/pool/any_pool.h"
#include "engine/mem/pool/create.h"
#include "engine/mem/pool/superblock.h"

namespace gpuio {
namespace {

using pool::Found;

const base::Clock& system_clock() {
  static const base::SystemClock clock;
  return clock;
}

void wait_until(const base::Clock& /*clock*/, std::uint64_t until_ns) {
  timespec until{};
  until.tv_sec = static_cast<std::time_t>(until_ns / 1'000'000'000);
  until.tv_nsec = static_cast<long>(until_ns % 1'000'000'000);
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

std::uint64_t draw_word() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

/// Unlike any other attempt's, of any process of any host; not 0.
std::uint64_t draw_nonce() { return draw_word() | 1; }

std::array<std::uint8_t, 16> draw_uuid() {
  const std::array<std::uint64_t, 2> words{draw_word(), draw_word()};
  return std::bit_cast<std::array<std::uint8_t, 16>>(words);
}

Status check_name(std::string_view name) {
  if (!name.empty() && name.size() <= pool::kNameBytesMax) return {};
  return Status(Code::invalid_argument, "the name of a pool's object has 1 to 192 bytes").with("bytes", name.size());
}

Result<Pin> pin_memory(const Slice& memory) {
  GPUIO_ASSIGN(Pin pin, memory.pin());
  if (const Capability can = memory.can(Ability::host_load_store); !can) {
    return Status(Code::unsupported, "a pool needs memory that host code can load and store: " + can.reason);
  }
  if (reinterpret_cast<std::uintptr_t>(pin.data()) % pool::kLineBytes != 0) {
    return Status(Code::invalid_argument, "a pool's memory begins at a multiple of 64 bytes");
  }
  return pin;
}

Result<pool::Superblock> read_superblock(const Pin& memory) {
  if (memory.size() < sizeof(pool::Superblock)) {
    return Status(Code::not_found, "no pool in this memory: it is too small for one").with("bytes", memory.size());
  }
  // Whether it is coherent is written there: until that is known, it is read as if it were not.
  pool::MemoryAccess<false> access(memory.data());
  return pool::read_superblock(access, memory.size());
}

Result<std::shared_ptr<const pool::AnyPool>> open_pool(Pin memory) {
  GPUIO_ASSIGN(const pool::Superblock superblock, read_superblock(memory));
  const pool::Geometry geometry = pool::geometry_of(superblock);
  if (!geometry.coherent && !core::can_write_back()) {
    return Status(Code::unsupported, "the pool's memory is not coherent, and this processor can't flush lines");
  }
  const PoolInfo info{.uuid = superblock.uuid,
                      .pool_bytes = superblock.pool_bytes,
                      .data_bytes = geometry.data_end() - geometry.data_begin,
                      .block_bytes = geometry.block_bytes,
                      .chunk_bytes = geometry.chunk_bytes,
                      .members_max = geometry.members,
                      .objects_per_member_max = geometry.slots,
                      .lease_ns = geometry.lease_ns,
                      .coherent = geometry.coherent,
                      .flushes_by = geometry.coherent ? "nothing" : core::write_back_instruction()};
  std::byte* const base = memory.data();
  const auto make = [&]<class Access>(Access access) -> std::shared_ptr<const pool::AnyPool> {
    return std::make_shared<pool::PoolOf<Access>>(std::move(memory), access, geometry, info, system_clock(),
                                                  wait_until);
  };
  return geometry.coherent ? make(pool::MemoryAccess<true>(base)) : make(pool::MemoryAccess<false>(base));
}

/// The members' errors are counted where they are seen.
Status counted(const pool::AnyPool& pool, Status status) {
  if (status.code() == Code::stale) pool::PoolCounters::add(pool.counters().stale);
  if (status.code() == Code::corrupt) pool::PoolCounters::add(pool.counters().corrupt);
  return status;
}

}  // namespace

Pool::Pool(std::shared_ptr<const pool::AnyPool> pool) : pool_(std::move(pool)) {}

Result<Pool> Pool::create(const Slice& memory, const PoolOptions& options) {
  GPUIO_ASSIGN(Pin pin, pin_memory(memory));
  GPUIO_ASSIGN(const pool::Superblock superblock, pool::plan_superblock(pin.size(), options, draw_uuid()));
  if (!options.overwrite && pool::holds_pool(read_superblock(pin))) {
    return Status(Code::already_exists, "there is a pool in this memory: open it, or let create overwrite it");
  }
  if (!options.coherent && !core::can_write_back()) {
    return Status(Code::unsupported, "this processor can't flush lines, which a pool that is not coherent needs");
  }
  pool::MemoryAccess<false> access(pin.data());
  pool::write_pool(access, superblock);
  GPUIO_ASSIGN(std::shared_ptr<const pool::AnyPool> pool, open_pool(std::move(pin)));
  return Pool(std::move(pool));
}

Result<Pool> Pool::open(const Slice& memory) {
  GPUIO_ASSIGN(Pin pin, pin_memory(memory));
  GPUIO_ASSIGN(std::shared_ptr<const pool::AnyPool> pool, open_pool(std::move(pin)));
  return Pool(std::move(pool));
}

const PoolInfo& Pool::info() const noexcept { return pool_->info(); }

Result<PoolMember> Pool::join(const JoinOptions& options) const {
  pool::ClaimOptions claim{.rank = options.rank, .dead_incarnation = options.dead_incarnation};
  if (options.rank != JoinOptions::kAnyRank) {
    if (options.rank >= pool_->geometry().members) {
      return Status(Code::out_of_range, "the pool has no such rank")
          .with("rank", options.rank)
          .with("members_max", pool_->geometry().members);
    }
    claim.nonce = draw_nonce();
    GPUIO_ASSIGN(std::shared_ptr<pool::AnyMember> member, pool_->join(claim, pool_));
    return PoolMember(std::move(member));
  }
  claim.waits = false;
  const std::vector<pool::RankLines> ranks = pool_->ranks();
  for (claim.rank = 0; claim.rank < ranks.size(); ++claim.rank) {
    if (!ranks[claim.rank].free()) continue;
    claim.nonce = draw_nonce();
    Result<std::shared_ptr<pool::AnyMember>> member = pool_->join(claim, pool_);
    if (member) return PoolMember(*std::move(member));
    if (member.error().code() != Code::busy) return std::move(member).error();
  }
  return Status(Code::resource_exhausted, "all ranks of the pool are held; one of a dead member can be asked for")
      .with("members_max", pool_->geometry().members);
}

Result<PoolObject> Pool::find(std::string_view name) const {
  GPUIO_TRY(check_name(name));
  const pool::Lookup lookup = pool_->find(name);
  if (!lookup.published()) {
    if (lookup.damaged) {
      return counted(*pool_, Status(Code::corrupt, "a slot that may have this name can't be read").with("name", name));
    }
    pool::PoolCounters::add(pool_->counters().not_found);
    return Status(Code::not_found, "no object of this name in the pool").with("name", name);
  }
  pool::PoolCounters::add(pool_->counters().found);
  PoolObject object;
  object.pool_ = pool_;
  object.rank_ = lookup.found->rank;
  object.slot_ = lookup.found->slot;
  object.sequence_ = lookup.found->header.sequence;
  object.offset_ = lookup.found->header.offset;
  object.bytes_ = lookup.found->header.bytes;
  object.crc_ = lookup.found->header.data_crc;
  return object;
}

std::vector<PoolObjectInfo> Pool::objects() const { return pool_->objects(); }

std::vector<PoolMemberInfo> Pool::members() const {
  std::vector<PoolMemberInfo> all;
  for (const pool::RankLines& lines : pool_->ranks()) {
    PoolMemberInfo& member = all.emplace_back();
    member.rank = static_cast<std::uint32_t>(all.size() - 1);
    member.incarnation = lines.claim.incarnation;
    member.beats = lines.beat.count;
    member.objects = lines.beat.objects;
    member.used_bytes = lines.beat.used_bytes;
    member.chunks = lines.beat.chunks;
    if (!lines.claim_readable) {
      member.state = PoolMemberInfo::State::unreadable;
    } else if (!lines.free()) {
      member.state = PoolMemberInfo::State::active;
    } else if (lines.claim.state != pool::Claim::State::never) {
      member.state = PoolMemberInfo::State::left;
    }
  }
  return all;
}

PoolStatistics Pool::statistics() const noexcept {
  const pool::PoolCounters& counters = pool_->counters();
  return {.published = counters.published,
          .published_bytes = counters.published_bytes,
          .removed = counters.removed,
          .found = counters.found,
          .not_found = counters.not_found,
          .read = counters.read,
          .read_bytes = counters.read_bytes,
          .stale = counters.stale,
          .corrupt = counters.corrupt};
}

PoolReport Pool::verify() const { return pool_->verify(); }

namespace {

Found found_of(std::uint32_t rank, std::uint32_t slot, std::uint64_t sequence, std::uint64_t offset,
               std::uint64_t bytes, std::uint32_t crc) {
  Found found{.rank = rank, .slot = slot, .header = {}};
  found.header.state = pool::SlotState::published;
  found.header.sequence = sequence;
  found.header.offset = offset;
  found.header.bytes = bytes;
  found.header.data_crc = crc;
  return found;
}

Status count_read(const pool::AnyPool& pool, Status status, std::uint64_t bytes) {
  if (!status.ok()) return counted(pool, std::move(status));
  pool::PoolCounters::add(pool.counters().read);
  pool::PoolCounters::add(pool.counters().read_bytes, bytes);
  return {};
}

}  // namespace

std::uint64_t PoolObject::size() const noexcept { return bytes_; }

std::uint32_t PoolObject::rank() const noexcept { return rank_; }

Status PoolObject::read(std::span<std::byte> into) const {
  if (into.size() != bytes_) {
    return Status(Code::invalid_argument, "an object is read whole, into as many bytes as it has")
        .with("bytes", bytes_)
        .with("given", into.size());
  }
  const Found found = found_of(rank_, slot_, sequence_, offset_, bytes_, crc_);
  return count_read(*pool_, pool_->read(found, into), bytes_);
}

Result<std::span<const std::byte>> PoolObject::view() const {
  const Found found = found_of(rank_, slot_, sequence_, offset_, bytes_, crc_);
  GPUIO_TRY(count_read(*pool_, pool_->check_bytes(found), bytes_));
  return std::span<const std::byte>(pool_->address(offset_), bytes_);
}

Status PoolObject::check() const {
  return counted(*pool_, pool_->still_there(found_of(rank_, slot_, sequence_, offset_, bytes_, crc_)));
}

PoolReservation::PoolReservation(std::shared_ptr<pool::AnyMember> member, std::unique_ptr<pool::Place> place,
                                 std::span<std::byte> bytes)
    : member_(std::move(member)), place_(std::move(place)), bytes_(bytes) {}

PoolReservation::PoolReservation(PoolReservation&&) noexcept = default;

PoolReservation& PoolReservation::operator=(PoolReservation&& other) noexcept {
  PoolReservation taken = std::move(other);  // What this one had leaves with it.
  std::swap(member_, taken.member_);
  std::swap(place_, taken.place_);
  std::swap(bytes_, taken.bytes_);
  return *this;
}

PoolReservation::~PoolReservation() {
  if (place_ != nullptr) member_->abandon(*place_);
}

std::span<std::byte> PoolReservation::bytes() const noexcept {
  return place_ != nullptr ? bytes_ : std::span<std::byte>();
}

Status PoolReservation::commit() {
  if (place_ == nullptr) return Status(Code::closed, "the reservation is empty: committed or moved from");
  GPUIO_TRY(member_->commit(*place_));
  place_.reset();
  return {};
}

PoolMember::PoolMember(std::shared_ptr<pool::AnyMember> member) : member_(std::move(member)) {}

PoolMember& PoolMember::operator=(PoolMember&& other) noexcept {
  PoolMember taken = std::move(other);
  std::swap(member_, taken.member_);
  return *this;
}

PoolMember::~PoolMember() {
  // A lease that was lost before needs no leaving.
  if (member_ != nullptr) static_cast<void>(member_->leave());
}

std::uint32_t PoolMember::rank() const noexcept { return member_->held().rank; }

std::uint64_t PoolMember::incarnation() const noexcept { return member_->held().incarnation; }

std::uint64_t PoolMember::lost_objects() const noexcept { return member_->lost(); }

Status PoolMember::publish(std::string_view name, std::span<const std::byte> bytes) {
  GPUIO_TRY(check_name(name));
  return member_->publish(name, bytes);
}

Result<PoolReservation> PoolMember::reserve(std::string_view name, std::uint64_t bytes) {
  GPUIO_TRY(check_name(name));
  GPUIO_ASSIGN(const auto reserved, member_->reserve(name, bytes));
  return PoolReservation(member_, std::make_unique<pool::Place>(reserved.first), {reserved.second, bytes});
}

Status PoolMember::remove(std::string_view name) {
  GPUIO_TRY(check_name(name));
  return member_->remove(name);
}

Result<std::uint64_t> PoolMember::renew() { return member_->renew(); }

Status PoolMember::leave() { return member_->leave(); }

}  // namespace gpuio
