// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/try.h"
#include "engine/mem/pool/directory.h"
#include "engine/mem/pool/extent_map.h"
#include "engine/mem/pool/index.h"
#include "engine/mem/pool/lease.h"
#include "engine/mem/pool/ownership.h"
#include "gpuio/result.hpp"

namespace gpuio::pool {

/// A name that was claimed, and where its bytes go.
struct Place {
  std::uint32_t slot = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint64_t name_hash = 0;
  std::uint32_t name_bytes = 0;
};

/// The holder of a rank: publishes and removes. All that it keeps in its own memory can be read back from the pool, and
/// is, when the rank is taken over. Its destructor writes nothing: to the pool, it is a death. Thread safety: none.
template <class Access>
class Member {
 public:
  /// `held` is what a Claimer got. Call `recover` before all else.
  Member(Access& access, const Geometry& geometry, const base::Clock& clock, const Held& held)
      : access_(access),
        geometry_(geometry),
        clock_(clock),
        held_(held),
        directory_(access, geometry),
        index_(access, geometry, held.rank),
        ownership_(access, geometry, held.rank),
        sequences_(geometry.slots) {}

  /// Reads what earlier incarnations left, and puts right what they did not finish. Returns how many objects are lost:
  /// published slots that make no sense.
  std::uint64_t recover();

  /// Claims the name and space for `bytes`. Fails with `already_exists`, `busy` (another member is publishing that name
  /// now), `no_space`, `stale` (lease), `corrupt` (a slot that may have this name can't be read).
  [[nodiscard]] Result<Place> reserve(std::string_view name, std::uint64_t bytes);
  /// The bytes are written, and have this checksum. Fails with `stale` (lease); the place stays reserved then.
  [[nodiscard]] Status commit(const Place& place, std::uint32_t crc);
  /// ... or are not wanted.
  void abandon(const Place& place) {
    // Lines that stayed dirty would be written back some day, over what another rank put into the chunk by then.
    access_.template flush<"abandon.data.flush">(place.offset, place.bytes);
    free_slot(place.slot, place.name_hash, place.offset, place.bytes);
  }

  /// Copies `bytes` in: reserve and commit.
  [[nodiscard]] Status publish(std::string_view name, std::span<const std::byte> bytes);
  /// Fails with `not_found`, `permission_denied` (another rank's), `busy` (only reserved yet), `stale` (lease).
  [[nodiscard]] Status remove(std::string_view name);

  /// Before anything is written: the lease holds. Renews it if it is time to.
  [[nodiscard]] Status keep_lease();
  [[nodiscard]] Status renew_now() { return renew(access_, geometry_, clock_, held_, statistics()); }
  /// Gives the rank back. Its objects stay.
  [[nodiscard]] Status leave();

  [[nodiscard]] const Held& held() const noexcept { return held_; }
  [[nodiscard]] const Directory<Access>& directory() const noexcept { return directory_; }
  [[nodiscard]] Beat statistics() const noexcept {
    return {.objects = objects_, .used_bytes = used_bytes_, .chunks = ownership_.count()};
  }
  [[nodiscard]] std::uint64_t parked_bytes() const noexcept { return parked_bytes_; }

 private:
  /// Space that a dead incarnation may still write to.
  struct Parked {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    std::uint64_t ready_ns = 0;
    bool whole_chunk = false;  ///< Given back to all; perhaps the dead never owned it.
  };
  struct Survivor {
    SlotHeader header;
    std::uint32_t slot = 0;
  };

  void store_header(std::uint32_t slot, const SlotHeader& header);
  /// What a slot means to a new incarnation.
  enum class Fate : std::uint8_t { free, unfinished, kept, damaged };
  [[nodiscard]] Fate fate_of(std::uint32_t slot, SlotHeader& header) const;
  [[nodiscard]] std::vector<Survivor> survivors(std::uint64_t& lost);
  void recover_space(const std::vector<Survivor>& survivors);
  void park(std::uint64_t offset, std::uint64_t bytes, bool whole_chunk);
  void unpark();
  [[nodiscard]] Result<std::uint64_t> allocate(std::uint64_t bytes);
  void release_chunks(std::uint64_t offset, std::uint64_t bytes);
  void release_whole_chunks();
  [[nodiscard]] Status check_free(std::string_view name, std::uint64_t hash);
  [[nodiscard]] Lookup find_own(std::string_view name, std::uint64_t hash);
  void scrub(std::uint32_t slot, std::uint64_t sequence);
  void write_intent(std::string_view name, const Place& place);
  void free_slot(std::uint32_t slot, std::uint64_t hash, std::uint64_t offset, std::uint64_t bytes);

  Access& access_;
  const Geometry& geometry_;
  const base::Clock& clock_;
  Held held_;
  Directory<Access> directory_;
  Index<Access> index_;
  Ownership<Access> ownership_;
  std::vector<std::uint64_t> sequences_;  ///< Of each slot, as last written.
  std::deque<std::uint32_t> free_slots_;  ///< The longest free is used first.
  ExtentMap free_;
  std::deque<Parked> parked_;
  std::uint64_t parked_bytes_ = 0;
  std::uint64_t objects_ = 0;
  std::uint64_t used_bytes_ = 0;
  std::uint64_t reserved_ = 0;
};

template <class Access>
void Member<Access>::store_header(std::uint32_t slot, const SlotHeader& header) {
  const Line line = encode(header);
  const std::uint64_t offset = geometry_.slot(held_.rank, slot);
  for (std::size_t i = 1; i < kLineWords; ++i) access_.store(offset + i * kWordBytes, line[i]);
  access_.store(offset, line[0]);
}

template <class Access>
Status Member<Access>::keep_lease() {
  const std::uint64_t now_ns = clock_.now_ns();
  if (now_ns >= held_.renew_at_ns) return renew_now();
  return now_ns < held_.valid_until_ns ? Status() : lease_lost(held_.rank, "it was not renewed in time");
}

template <class Access>
void Member<Access>::scrub(std::uint32_t slot, std::uint64_t sequence) {
  sequences_[slot] = std::max(sequences_[slot], sequence) + 1;
  const std::uint64_t offset = geometry_.slot(held_.rank, slot);
  access_.store(offset, slot_word(sequences_[slot], SlotState::free));
  access_.template flush<"recover.slot.flush">(offset, kWordBytes);
}

template <class Access>
Lookup Member<Access>::find_own(std::string_view name, std::uint64_t hash) {
  for (;;) {
    Lookup own;
    directory_.find_in(held_.rank, name, hash, own);
    if (!own.found || own.found->header.sequence == sequences_[own.found->slot]) return own;
    // Not what this incarnation wrote: an earlier one, stopped with a store on its lips, made it when it woke up.
    scrub(own.found->slot, own.found->header.sequence);
  }
}

template <class Access>
Status Member<Access>::check_free(std::string_view name, std::uint64_t hash) {
  const Lookup own = find_own(name, hash);
  if (own.published()) return Status(Code::already_exists, "an object of this name is in the pool").with("name", name);
  if (own.found) return Status(Code::busy, "this name is reserved by this member").with("name", name);
  return {};
}

template <class Access>
void Member<Access>::write_intent(std::string_view name, const Place& place) {
  const std::uint64_t offset = geometry_.slot_name(held_.rank, place.slot);
  std::string_view rest = name;
  for (std::uint64_t at = offset; !rest.empty(); at += kWordBytes) {
    std::uint64_t word = 0;
    const std::size_t taken = std::min(rest.size(), sizeof(word));
    std::memcpy(&word, rest.data(), taken);
    access_.store(at, word);
    rest.remove_prefix(taken);
  }
  store_header(place.slot, {.sequence = ++sequences_[place.slot],
                            .state = SlotState::intent,
                            .name_hash = place.name_hash,
                            .offset = place.offset,
                            .bytes = place.bytes,
                            .incarnation = held_.incarnation,
                            .name_bytes = place.name_bytes});
  access_.template flush<"publish.intent.flush">(geometry_.slot(held_.rank, place.slot), kLineBytes + name.size());
  index_.add(place.name_hash, place.slot);
  access_.template fence<"publish.intent.fence">();
}

template <class Access>
Result<Place> Member<Access>::reserve(std::string_view name, std::uint64_t bytes) {
  GPUIO_TRY(keep_lease());
  const std::uint64_t hash = hash_name(name);
  GPUIO_TRY(check_free(name, hash));
  if (free_slots_.empty()) {
    return Status(Code::no_space, "this member has as many objects as it may (objects_per_member_max)")
        .with("objects", geometry_.slots);
  }
  GPUIO_ASSIGN(const std::uint64_t offset, allocate(bytes));
  const Place place{.slot = free_slots_.front(),
                    .offset = offset,
                    .bytes = bytes,
                    .name_hash = hash,
                    .name_bytes = static_cast<std::uint32_t>(name.size())};
  free_slots_.pop_front();
  ++reserved_;
  ++objects_;
  used_bytes_ += geometry_.extent_bytes(bytes);
  write_intent(name, place);
  const Lookup other = directory_.find_elsewhere(name, hash, held_.rank);
  if (!other.found && !other.damaged) return place;

  abandon(place);
  if (other.published()) {
    return Status(Code::already_exists, "an object of this name is in the pool")
        .with("name", name)
        .with("rank", other.found->rank);
  }
  if (other.found) {
    return Status(Code::busy, "another member is publishing this name, or died while it did; its rank can be recovered")
        .with_retryable(true)
        .with("name", name)
        .with("rank", other.found->rank);
  }
  return Status(Code::corrupt, "a slot that may have this name can't be read; recover its rank").with("name", name);
}

template <class Access>
Status Member<Access>::commit(const Place& place, std::uint32_t crc) {
  GPUIO_TRY(keep_lease());
  access_.template flush<"publish.data.flush">(place.offset, place.bytes);
  access_.template fence<"publish.data.fence">();
  store_header(place.slot, {.sequence = ++sequences_[place.slot],
                            .state = SlotState::published,
                            .name_hash = place.name_hash,
                            .offset = place.offset,
                            .bytes = place.bytes,
                            .incarnation = held_.incarnation,
                            .data_crc = crc,
                            .name_bytes = place.name_bytes});
  access_.template flush<"publish.header.flush">(geometry_.slot(held_.rank, place.slot), kLineBytes);
  access_.template fence<"publish.header.fence">();
  --reserved_;
  return {};
}

template <class Access>
Status Member<Access>::publish(std::string_view name, std::span<const std::byte> bytes) {
  GPUIO_ASSIGN(const Place place, reserve(name, bytes.size()));
  access_.copy_in(place.offset, bytes);
  Status status = commit(place, access_.checksum(bytes));
  if (!status.ok()) --reserved_;  // Left to the next incarnation: nothing may be written without a lease.
  return status;
}

template <class Access>
void Member<Access>::free_slot(std::uint32_t slot, std::uint64_t hash, std::uint64_t offset, std::uint64_t bytes) {
  const std::uint64_t header = geometry_.slot(held_.rank, slot);
  const bool reserved = (access_.load(header) & 0xff) == static_cast<std::uint64_t>(SlotState::intent);
  access_.store(header, slot_word(++sequences_[slot], SlotState::free));
  access_.template flush<"remove.header.flush">(header, kWordBytes);
  index_.remove(hash, slot);
  access_.template fence<"remove.header.fence">();
  if (reserved) --reserved_;
  --objects_;
  used_bytes_ -= geometry_.extent_bytes(bytes);
  free_slots_.push_back(slot);
  free_.give(offset, geometry_.extent_bytes(bytes));
  release_chunks(offset, geometry_.extent_bytes(bytes));
}

template <class Access>
Status Member<Access>::remove(std::string_view name) {
  GPUIO_TRY(keep_lease());
  const std::uint64_t hash = hash_name(name);
  const Lookup own = find_own(name, hash);
  if (own.published()) {
    const SlotHeader& header = own.found->header;
    free_slot(own.found->slot, hash, header.offset, header.bytes);
    return {};
  }
  if (own.found) return Status(Code::busy, "this name is only reserved yet").with("name", name);
  const Lookup other = directory_.find_elsewhere(name, hash, held_.rank);
  if (!other.published()) return Status(Code::not_found, "no object of this name in the pool").with("name", name);
  return Status(Code::permission_denied, "only the member that published an object may remove it")
      .with("name", name)
      .with("rank", other.found->rank);
}

template <class Access>
Status Member<Access>::leave() {
  if (reserved_ != 0)
    return Status(Code::busy, "this member has reservations that are neither committed nor abandoned");
  GPUIO_TRY(renew_now());
  unpark();
  release_whole_chunks();
  give_back(access_, geometry_, held_, parked_.empty() ? Claim::State::left : Claim::State::left_quarantine);
  held_.valid_until_ns = 0;
  held_.renew_at_ns = ~std::uint64_t{0};
  return {};
}

}  // namespace gpuio::pool

#include "engine/mem/pool/member_space.h"
