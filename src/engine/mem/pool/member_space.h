// SPDX-License-Identifier: Apache-2.0
#pragma once

// The second half of member.h: where a Member's space comes from, and what it finds when it takes a rank over.
#include "engine/mem/pool/member.h"

namespace gpuio::pool {

template <class Access>
Result<std::uint64_t> Member<Access>::allocate(std::uint64_t bytes) {
  const std::uint64_t room = geometry_.data_end() - geometry_.data_begin;
  if (bytes <= room) {
    const std::uint64_t needed = geometry_.extent_bytes(bytes);
    if (!parked_.empty()) unpark();
    if (const std::optional<std::uint64_t> offset = free_.take(needed)) return *offset;
    const std::uint64_t chunks = (needed + geometry_.chunk_bytes - 1) / geometry_.chunk_bytes;
    if (chunks > 1) release_whole_chunks();  // Their neighbours may be free, and together enough.
    if (const std::optional<std::uint64_t> first = ownership_.take(chunks)) {
      free_.give(geometry_.chunk(*first), chunks * geometry_.chunk_bytes);
      const std::optional<std::uint64_t> offset = free_.take(needed);
      assert(offset);
      return *offset;
    }
  }
  return Status(Code::no_space, "the pool is full")
      .with_retryable(parked_bytes_ >= bytes)
      .with("length", bytes)
      .with("free_bytes", free_.free_bytes())
      .with("quarantined_bytes", parked_bytes_);
}

template <class Access>
void Member<Access>::release_chunks(std::uint64_t offset, std::uint64_t bytes) {
  // One chunk's worth is kept, so that a member that publishes and removes in turn does not claim each time.
  for (std::uint64_t chunk = geometry_.chunk_of(offset); chunk <= geometry_.chunk_of(offset + bytes - 1); ++chunk) {
    if (free_.free_bytes() < 2 * geometry_.chunk_bytes) return;
    if (free_.take_part(geometry_.chunk(chunk), geometry_.chunk_bytes)) ownership_.release(chunk, 1);
  }
}

template <class Access>
void Member<Access>::release_whole_chunks() {
  for (std::uint64_t chunk = 0; chunk < geometry_.chunks; ++chunk) {
    if (!ownership_.has(chunk) || !free_.take_part(geometry_.chunk(chunk), geometry_.chunk_bytes)) continue;
    ownership_.release(chunk, 1);
  }
}

template <class Access>
auto Member<Access>::fate_of(std::uint32_t slot, SlotHeader& header) const -> Fate {
  if (!decode(load_line(access_, geometry_.slot(held_.rank, slot)), header)) return Fate::damaged;
  if (header.state == SlotState::free) return Fate::free;
  if (header.state == SlotState::intent) return Fate::unfinished;
  if (!geometry_.holds(header.offset, header.bytes)) return Fate::damaged;
  const std::uint64_t last = header.offset + geometry_.extent_bytes(header.bytes) - 1;
  for (std::uint64_t chunk = geometry_.chunk_of(header.offset); chunk <= geometry_.chunk_of(last); ++chunk) {
    if (!ownership_.has(chunk)) return Fate::damaged;
  }
  const std::string name = directory_.name_of({held_.rank, slot, header});
  if (hash_name(name) != header.name_hash) return Fate::damaged;
  // Its index word was seen before it was published. If it can't be found, it was being removed, and only the index got
  // to memory; somebody else may have published the name since.
  Lookup lookup;
  directory_.find_in(held_.rank, name, header.name_hash, lookup);
  return lookup.published() && lookup.found->slot == slot ? Fate::kept : Fate::unfinished;
}

template <class Access>
auto Member<Access>::survivors(std::uint64_t& lost) -> std::vector<Survivor> {
  std::vector<Survivor> found;
  for (std::uint32_t slot = 0; slot < geometry_.slots; ++slot) {
    sequences_[slot] = access_.load(geometry_.slot(held_.rank, slot)) >> 8;
    SlotHeader header;
    const Fate fate = fate_of(slot, header);
    if (fate == Fate::kept) found.push_back({header, slot});
    if (fate == Fate::damaged) ++lost;
  }
  // Two that overlap: one is of an incarnation that woke up after its lease. The later incarnation's is the right one.
  std::ranges::sort(found, {}, [](const Survivor& survivor) { return survivor.header.offset; });
  std::vector<Survivor> apart;
  for (const Survivor& next : found) {
    while (!apart.empty()) {
      const SlotHeader& last = apart.back().header;
      const bool overlap = last.offset + geometry_.extent_bytes(last.bytes) > next.header.offset;
      if (!overlap || last.incarnation >= next.header.incarnation) break;
      apart.pop_back();
    }
    if (apart.empty() ||
        apart.back().header.offset + geometry_.extent_bytes(apart.back().header.bytes) <= next.header.offset) {
      apart.push_back(next);
    }
  }
  return apart;
}

template <class Access>
std::uint64_t Member<Access>::recover() {
  // Another node may have held this rank since this one last looked.
  access_.template invalidate<"recover.invalidate">(geometry_.area(held_.rank), geometry_.area_bytes);
  access_.template load_fence<"recover.load_fence">();
  ownership_.read_own();
  std::vector<std::uint64_t> hashes(geometry_.slots);
  std::uint64_t lost = 0;
  const std::vector<Survivor> kept = survivors(lost);
  for (const Survivor& survivor : kept) {
    hashes[survivor.slot] = survivor.header.name_hash;
    ++objects_;
    used_bytes_ += geometry_.extent_bytes(survivor.header.bytes);
  }
  for (std::uint32_t slot = 0; slot < geometry_.slots; ++slot) {
    if (hashes[slot] != 0) continue;
    free_slots_.push_back(slot);
    const std::uint64_t state = access_.load(geometry_.slot(held_.rank, slot)) & 0xff;
    if (state != static_cast<std::uint64_t>(SlotState::free)) scrub(slot, sequences_[slot]);
  }
  [[maybe_unused]] const std::uint64_t words = index_.rebuild(hashes);
  assert(words == kept.size());
  access_.template fence<"recover.fence">();
  recover_space(kept);
  return lost;
}

template <class Access>
void Member<Access>::recover_space(const std::vector<Survivor>& survivors) {
  auto next = survivors.begin();
  const auto end_of = [this](const Survivor& survivor) {
    return survivor.header.offset + geometry_.extent_bytes(survivor.header.bytes);
  };
  for (std::uint64_t chunk = 0; chunk < geometry_.chunks; ++chunk) {
    if (!ownership_.has(chunk)) continue;
    const std::uint64_t begin = geometry_.chunk(chunk);
    const std::uint64_t end = begin + geometry_.chunk_bytes;
    while (next != survivors.end() && end_of(*next) <= begin) ++next;
    if (next == survivors.end() || next->header.offset >= end) {
      park(begin, geometry_.chunk_bytes, true);
      continue;
    }
    std::uint64_t at = begin;
    for (auto object = next; object != survivors.end() && object->header.offset < end; ++object) {
      if (object->header.offset > at) park(at, object->header.offset - at, false);
      at = std::min(end_of(*object), end);  // Objects may reach over several chunks.
    }
    if (at < end) park(at, end - at, false);
  }
  unpark();
}

template <class Access>
void Member<Access>::park(std::uint64_t offset, std::uint64_t bytes, bool whole_chunk) {
  const std::uint64_t ready_ns = held_.predecessor_died ? clock_.now_ns() + geometry_.lease_ns : 0;
  parked_.push_back({.offset = offset, .bytes = bytes, .ready_ns = ready_ns, .whole_chunk = whole_chunk});
  parked_bytes_ += bytes;
}

template <class Access>
void Member<Access>::unpark() {
  const std::uint64_t now_ns = clock_.now_ns();
  while (!parked_.empty() && parked_.front().ready_ns <= now_ns) {
    const Parked space = parked_.front();
    parked_.pop_front();
    parked_bytes_ -= space.bytes;
    if (space.whole_chunk) {
      ownership_.release(geometry_.chunk_of(space.offset), 1);
    } else {
      free_.give(space.offset, space.bytes);
    }
  }
}

}  // namespace gpuio::pool
