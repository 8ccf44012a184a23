// SPDX-License-Identifier: Apache-2.0
#include "core/memory/slab_ring.h"

#include <algorithm>
#include <cassert>
#include <mutex>
#include <string>
#include <utility>

#include "base/log.h"

namespace gpuio::core {
namespace {

constexpr std::uint32_t kSmallSlabsPerBlock = 32;
constexpr std::uint32_t kSmallBytesMin = 256U << 10U;
constexpr std::uint32_t kSlabAlignment = 4096;  // Of small slabs too: O_DIRECT reads into them.
constexpr std::uint32_t kUrgentShare = 8;       // One in so many small slabs is for urgent requests only.

constexpr std::uint32_t whole_pages(std::uint32_t bytes) noexcept { return bytes / kSlabAlignment * kSlabAlignment; }

/// At least two to a block: one for urgent requests, one for the others.
std::uint32_t small_slab_bytes(std::uint32_t slab_bytes) noexcept {
  return whole_pages(std::min(std::max(slab_bytes / kSmallSlabsPerBlock, kSmallBytesMin), slab_bytes / 2));
}

}  // namespace

bool SlabRingGroup::reserve(std::uint64_t bytes) noexcept {
  const std::uint64_t all = reserved_.fetch_add(bytes) + bytes;
  if (all <= budget_.limit() / 4 && budget_.try_take(bytes)) return true;
  reserved_.fetch_sub(bytes);
  return false;
}

void SlabRingGroup::unreserve(std::uint64_t bytes) noexcept {
  reserved_.fetch_sub(bytes);
  budget_.give(bytes);
}

SlabRing::SlabRing(std::shared_ptr<spi::Device> device, SlabRingGroup& group, const Options& options,
                   SlabMemoryListener* listener)
    : device_(std::move(device)),
      group_(group),
      slab_bytes_(whole_pages(options.slab_bytes)),
      small_bytes_(small_slab_bytes(slab_bytes_)),
      urgent_reserve_((slab_bytes_ / small_bytes_ + kUrgentShare - 1) / kUrgentShare),
      listener_(listener),
      numa_node_(options.numa_node),
      preparations_(device_, slab_bytes_, options.executor, numa_node_),
      prepared_max_(options.prepared_max),
      active_max_(options.active_max) {
  assert(small_bytes_ > 0);
}

SlabRing::~SlabRing() {
  std::erase(group_.rings_, this);
  for (std::uint32_t left = preparations_.outstanding(); left > 0; --left) group_.budget_.give(slab_bytes_);
  for (std::uint32_t i = 0; i < blocks_.size(); ++i) {
    if (blocks_[i] == nullptr) continue;
    if (blocks_[i]->out > 0) {
      bury(std::move(blocks_[i]));
    } else {
      drop_block(i);
    }
  }
}

Slab* SlabRing::acquire(SlabClass size_class, bool urgent, std::uint64_t wanted_bytes) {
  if (size_class == SlabClass::big) prepare(wanted_bytes);
  if (blocks_.empty()) {
    if (std::ranges::find(group_.rings_, this) == group_.rings_.end()) group_.rings_.push_back(this);
    // The small slabs' block comes first, before bulk can take the whole budget.
    if (!grow(SlabClass::small)) {
      ++waits_;
      return nullptr;
    }
  }
  Slab* const slab = size_class == SlabClass::big ? acquire_big(urgent) : acquire_small(urgent);
  if (slab == nullptr) ++waits_;
  return slab;
}

Slab* SlabRing::acquire_big(bool urgent) {
  if (!urgent && active_ >= active_max_) return nullptr;
  if (free_big_.empty()) {
    // A failure costs milliseconds to meet again, on the reactor: not while there are slabs to go on with.
    const bool worthwhile = failure_.ok() || big_slabs_ == 0;
    if (!worthwhile || !grow(SlabClass::big)) return nullptr;
  }
  hungry_ = false;
  ++active_;
  return hand_out(free_big_);
}

/// Has blocks made beside each other, as many as will be wanted and the budget has room for; the small slabs' block is
/// left its share. Who waits for budget is not robbed: that is for `grow`.
void SlabRing::prepare(std::uint64_t wanted_bytes) {
  if (!preparations_.possible() || preparation_failed_) return;
  const std::uint64_t wanted = std::min<std::uint64_t>((wanted_bytes + slab_bytes_ - 1) / slab_bytes_, prepared_max_);
  const std::uint64_t left_bytes = blocks_.empty() ? slab_bytes_ : 0;
  while (big_slabs_ + preparations_.outstanding() < wanted && !owes() &&
         group_.budget_.room() >= slab_bytes_ + left_bytes && group_.budget_.try_take(slab_bytes_)) {
    preparations_.start();
  }
}

/// True if a prepared block was added.
bool SlabRing::add_prepared() {
  bool added = false;
  for (SlabPreparations::Outcome outcome = preparations_.take(); outcome.ended; outcome = preparations_.take()) {
    if (outcome.memory) {
      add_block(*std::move(outcome.memory), SlabClass::big);
      added = true;
    } else {
      group_.budget_.give(slab_bytes_);
      preparation_failed_ = true;
    }
  }
  return added;
}

Slab* SlabRing::acquire_small(bool urgent) {
  if (free_small_.size() <= (urgent ? 0 : urgent_reserve_)) return nullptr;
  return hand_out(free_small_);
}

Slab* SlabRing::hand_out(std::vector<Slab*>& stack) {
  Slab* const slab = stack.back();
  stack.pop_back();
  ++blocks_[slab->block]->out;
  return slab;
}

void SlabRing::release(Slab* slab) {
  Block& block = *blocks_[slab->block];
  assert(block.out > 0 && "released twice");
  --block.out;
  const bool big = slab->size_class == SlabClass::big;
  if (slab->quarantined) {
    slab->quarantined = false;
    quarantined_bytes_ -= slab->bytes;
  } else if (big) {
    --active_;
  }
  (big ? free_big_ : free_small_).push_back(slab);
  if (big && group_.budget_.room() < slab_bytes_ && owes()) trim(slab_bytes_);
}

void SlabRing::quarantine(Slab* slab) {
  assert(!slab->quarantined);
  slab->quarantined = true;
  quarantined_bytes_ += slab->bytes;
  if (slab->size_class == SlabClass::big) --active_;
}

Status SlabRing::status(SlabClass size_class) const {
  const bool some = size_class == SlabClass::small || big_slabs_ + preparations_.outstanding() > 0;
  return some && !blocks_.empty() ? Status() : failure_;
}

Status SlabRing::check_limit(SlabClass size_class) const {
  const std::uint64_t slabs_min = group_.rings_.size() + (size_class == SlabClass::big ? 1 : 0);
  if ((group_.budget_.limit() - group_.reserved_) / slab_bytes_ >= slabs_min) return {};
  return Status(Code::resource_exhausted,
                "memory.pinned_budget_bytes must hold a slab for each device in use and one more")
      .with("pinned_budget_bytes", group_.budget_.limit())
      .with("slab_bytes", slab_bytes_)
      .with("devices", group_.rings_.size());
}

bool SlabRing::gives_to(const SlabRing& other) const noexcept {
  return big_slabs_ > other.big_slabs_ + (other.big_slabs_ == 0 ? 0 : 1);
}

bool SlabRing::owes() const noexcept {
  return std::ranges::any_of(group_.rings_, [&](const SlabRing* ring) { return ring->hungry_ && gives_to(*ring); });
}

bool SlabRing::take_budget() {
  PinnedBudget& budget = group_.budget_;
  // One slab's worth is left to whoever has less and waits, or the next call here would take it before theirs.
  if (owes() && budget.room() < 2 * std::uint64_t{slab_bytes_}) return false;
  if (budget.try_take(slab_bytes_)) return true;
  SlabRing* richest = nullptr;
  for (SlabRing* ring : group_.rings_) {
    static_cast<void>(ring->add_prepared());  // What nobody asked for since can be given.
    const bool can_give = ring->gives_to(*this) && !ring->free_big_.empty();
    if (can_give && (richest == nullptr || ring->big_slabs_ > richest->big_slabs_)) richest = ring;
  }
  return richest != nullptr && richest->trim(slab_bytes_) > 0 && budget.try_take(slab_bytes_);
}

bool SlabRing::grow(SlabClass size_class) {
  if (size_class == SlabClass::big) {
    if (add_prepared()) return true;
    if (preparations_.outstanding() > 0) return false;
  }
  failure_ = check_limit(size_class);
  if (!failure_.ok()) return false;
  hungry_ = !take_budget();
  if (hungry_) return false;
  Result<SlabMemory> made = SlabMemory::make(device_, slab_bytes_, numa_node_);
  if (!made) {
    group_.budget_.give(slab_bytes_);
    failure_ = std::move(made).error();
    return false;
  }
  add_block(*std::move(made), size_class);
  return true;
}

void SlabRing::add_block(SlabMemory memory, SlabClass size_class) {
  const auto gap = std::find(blocks_.begin(), blocks_.end(), nullptr);
  const auto index = static_cast<std::uint32_t>(gap - blocks_.begin());
  if (gap == blocks_.end()) blocks_.emplace_back();
  blocks_[index] = std::make_unique<Block>();
  Block& block = *blocks_[index];
  block.memory = std::move(memory);

  const bool big = size_class == SlabClass::big;
  const std::uint32_t bytes = big ? slab_bytes_ : small_bytes_;
  for (std::uint32_t at = 0; slab_bytes_ - at >= bytes; at += bytes) {
    block.slabs.push_back({block.memory.pages.base() + at, bytes, size_class, false, index});
  }
  for (Slab& slab : block.slabs) (big ? free_big_ : free_small_).push_back(&slab);
  if (big) ++big_slabs_;
  preparation_failed_ = false;
  pinned_bytes_ += slab_bytes_;
  if (listener_ != nullptr) listener_->slab_memory_added(block.memory.pages.base(), block.memory.pages.size());
}

std::uint64_t SlabRing::trim(std::uint64_t bytes) {
  std::uint64_t trimmed = 0;
  while (trimmed < bytes && !free_big_.empty()) {
    const std::uint32_t index = free_big_.front()->block;  // The one unused for longest.
    free_big_.erase(free_big_.begin());
    --big_slabs_;
    drop_block(index);
    trimmed += slab_bytes_;
  }
  if (trimmed > 0) failure_ = Status();
  return trimmed;
}

void SlabRing::drop_block(std::uint32_t index) {
  if (listener_ != nullptr) listener_->slab_memory_removed(blocks_[index]->memory.pages.base());
  blocks_[index].reset();
  pinned_bytes_ -= slab_bytes_;
  group_.budget_.give(slab_bytes_);
}

void SlabRing::bury(std::unique_ptr<Block> block) {
  GPUIO_LOG(error, "core",
            "slabs still in use at the end stay mapped: " + std::to_string(block->memory.pages.size()) + " bytes");
  static std::mutex mutex;
  static auto* const buried = new std::vector<std::unique_ptr<Block>>;
  const std::lock_guard lock(mutex);
  buried->push_back(std::move(block));
}

std::vector<std::span<std::byte>> SlabRing::memory() const {
  std::vector<std::span<std::byte>> spans;
  for (const auto& block : blocks_) {
    if (block != nullptr) spans.emplace_back(block->memory.pages.base(), block->memory.pages.size());
  }
  return spans;
}

}  // namespace gpuio::core
