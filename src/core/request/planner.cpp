// SPDX-License-Identifier: Apache-2.0
#include "core/request/planner.h"

#include <algorithm>

#include "base/align.h"
#include "base/planted_bug.h"

namespace gpuio::core {
namespace {

/// Below this a window's registration costs more than the copy that it saves.
constexpr std::uint64_t kLendBytesMin = 1ULL << 20U;

/// Registering takes one lock of the driver's; while one is registered, the pages of others are looked up.
constexpr unsigned kLendingMax = 4;

spi::RunKind run_kind(Operation operation) {
  return operation == Operation::write ? spi::RunKind::write : spi::RunKind::read;
}

/// The pages can't be registered here, now or later; not so where a budget is in use or the store was cut.
bool is_refusal(const Status& status) {
  return !status.ok() && status.code() != Code::would_block && status.code() != Code::out_of_range &&
         status.code() != Code::end_of_file;
}

bool is_aligned(const std::byte* address, std::uint64_t alignment) {
  return reinterpret_cast<std::uintptr_t>(address) % alignment == 0;
}

}  // namespace

void Planner::run_started(const RunState& run) {
  if (!run.medium.empty()) hot_ways_.started({run.device, run.medium}, run.chosen, run.bytes);
  if (!is_lent(run.chosen)) return;
  ++lent_runs_;
  lending_.push_back(window_of(*run.store_state, run.pieces.front().store_offset));
}

void Planner::registering_ended(const RunState& run) noexcept {
  const Window window = window_of(*run.store_state, run.pieces.front().store_offset);
  lending_.erase(std::find(lending_.begin(), lending_.end(), window));
  lending_refused_ = lending_refused_ || is_refusal(run.lend_status);
}

void Planner::run_ended(const RunState& run) {
  if (is_lent(run.chosen)) --lent_runs_;
  if (run.medium.empty()) return;
  using End = HotWays::End;
  const End other = is_refusal(run.lend_status) ? End::refused : End::gave_way;
  hot_ways_.ended({run.device, run.medium}, run.chosen, run.path.carriage == run.chosen ? End::moved : other,
                  run.bytes);
}

const spi::Plan& Planner::plan(const RequestState& request, const ResolvedTransfer& transfer,
                               const LayoutCursor::Piece& piece, CacheUse cache) {
  const spi::RunKind kind = run_kind(request.operation);
  const bool known = known_store_ == transfer.store.get() && known_kind_ == kind && known_cache_ == cache &&
                     piece.store_offset >= known_begin_ && piece.store_offset - known_begin_ < known_.length;
  if (!known) {
    known_ = transfer.store->store().plan(kind, piece.store_offset, piece.bytes, cache);
    known_.length = std::max<std::uint64_t>(known_.length, 1);
    known_store_ = transfer.store.get();
    known_kind_ = kind;
    known_cache_ = cache;
    known_begin_ = piece.store_offset;
  }
  return known_;
}

bool Planner::may_lend(const RequestState& request, const spi::Plan& plan, std::uint64_t bytes) const noexcept {
  if (options_.hot_path == PlannerOptions::HotPath::copy || lending_refused_ || request.unassisted) return false;
  return request.operation == Operation::read && plan.lendable && bytes >= kLendBytesMin;
}

bool Planner::must_wait(const ResolvedTransfer& transfer, const LayoutCursor::Piece& piece) const {
  if (loans_.has(transfer.store->store(), transfer.device->device(), piece.store_offset)) return false;
  if (lending_.size() >= kLendingMax) return true;
  // Those being registered may not have taken their share of the budget yet.
  const std::uint64_t wanted = (lending_.size() + 1) * piece.bytes;
  if (!options_.keep_registered) return lent_runs_ > 0 && loans_.transient_room() < wanted;
  // What is to be kept is registered as a whole window on the first load; the loads after it are the gain.
  const Window window = window_of(*transfer.store, piece.store_offset);
  return std::find(lending_.begin(), lending_.end(), window) != lending_.end();
}

/// Resident bytes to memory that the host does not reach.
void Planner::decide_hot(Decision& decision, const RequestState& request, const ResolvedTransfer& transfer,
                         const spi::Plan& plan) {
  decision.carriage = Carriage::slab_copy;
  const std::uint64_t to_window_end = loans_.to_window_end(decision.piece.store_offset);
  if (!may_lend(request, plan, std::min(to_window_end, decision.piece.bytes))) return;
  choose_hot_way(decision, request, transfer, plan);
  if (!is_lent(decision.carriage)) return;
  // A registration costs a fixed third of a millisecond: as long as a window allows.
  const std::uint64_t plan_left = plan.length - (decision.piece.store_offset - known_begin_);
  decision.piece = request.cut->peek(std::min({to_window_end, plan_left, options_.lent_bytes_max}));
  decision.wait = decision.wait || must_wait(transfer, decision.piece);
}

void Planner::choose_hot_way(Decision& decision, const RequestState& request, const ResolvedTransfer& transfer,
                             const spi::Plan& plan) {
  if (options_.hot_path == PlannerOptions::HotPath::kernel) {
    decision.carriage = Carriage::lent_kernel;
  } else if (options_.keep_registered || options_.hot_path == PlannerOptions::HotPath::lend) {
    decision.carriage = Carriage::lent_copy;
  } else {
    const HotWays::Choice choice = hot_ways_.choose({transfer.device, plan.medium}, request.cut->remaining_bytes());
    decision.carriage = choice.carriage;
    decision.medium = plan.medium;
    decision.wait = choice.wait;
    if (!choice.reason.empty()) decision.reason = choice.reason;
  }
}

bool Planner::travels_in_place(const RequestState& request, const ResolvedTransfer& transfer,
                               const LayoutCursor::Piece& piece, spi::Way way) const noexcept {
  if (known_store_ != transfer.store.get() || known_kind_ != run_kind(request.operation) ||
      known_cache_ != request.cache || known_.way != way || !transfer.host_reachable) {
    return false;
  }
  if (piece.store_offset < known_begin_ || piece.store_offset - known_begin_ > known_.length ||
      piece.bytes > known_.length - (piece.store_offset - known_begin_)) {
    return false;
  }
  if (way != spi::Way::direct) return true;
  return ((piece.store_offset | piece.bytes) & (known_.offset_alignment - 1)) == 0 &&
         is_aligned(transfer.memory + piece.memory_offset, known_.memory_alignment);
}

Decision Planner::decide(const RequestState& request, const ResolvedTransfer& transfer, std::uint64_t run_bytes_max) {
  Decision decision;
  decision.piece = request.cut->peek(options_.slab_bytes);
  const std::uint64_t contiguous = decision.piece.bytes;
  if (request.operation == Operation::copy) {
    decision.carriage = Carriage::device_copy;
    decision.reason = transfer.reason;
    return decision;
  }
  const spi::Plan& plan = this->plan(request, transfer, decision.piece, request.cache);
  decision.way = plan.way;
  decision.reason = plan.reason;
  const std::uint64_t plan_left = plan.length - (decision.piece.store_offset - known_begin_);
  decision.piece.bytes = std::min(decision.piece.bytes, plan_left);

  if (plan.way != spi::Way::cached) decision.piece.bytes = std::min(decision.piece.bytes, run_bytes_max);
  if (plan.way == spi::Way::direct) {
    decision.alignment = plan.offset_alignment;
    decision.memory_alignment = plan.memory_alignment;
    const bool goes_on = decision.piece.bytes < contiguous || contiguous == options_.slab_bytes;
    decide_direct(decision, transfer, goes_on);
    if (request.operation == Operation::write && !base::planted_bug("unaligned_writes_are_widened") &&
        decision.carriage == Carriage::slab_copy &&
        (decision.piece.store_offset % decision.alignment != 0 || decision.piece.bytes % decision.alignment != 0)) {
      // An unaligned end can't be written around the cache without reading its neighbours first.
      const spi::Plan& buffered = this->plan(request, transfer, decision.piece, CacheUse::cached);
      decision.way = buffered.way;
      decision.reason = "an unaligned end of a direct write goes through the page cache";
      decision.alignment = decision.memory_alignment = 1;
      if (transfer.host_reachable) decision.carriage = Carriage::in_place;
    }
    return decision;
  }
  if (transfer.host_reachable) {
    decision.carriage = Carriage::in_place;
  } else {
    decide_hot(decision, request, transfer, plan);
  }
  return decision;
}

void Planner::decide_direct(Decision& decision, const ResolvedTransfer& transfer, bool goes_on) const noexcept {
  LayoutCursor::Piece& piece = decision.piece;
  const std::uint64_t alignment = decision.alignment;
  const std::uint64_t head = piece.store_offset % alignment;
  const std::uint64_t to_boundary = head == 0 ? 0 : alignment - head;
  const std::byte* memory = transfer.memory + piece.memory_offset;
  const bool in_place_after_head = transfer.host_reachable &&
                                   is_aligned(memory + to_boundary, decision.memory_alignment) &&
                                   piece.bytes >= to_boundary + alignment;
  if (in_place_after_head) {
    if (head != 0) {
      piece.bytes = to_boundary;  // the few bytes before the boundary take a slab; the rest follows in place
      decision.carriage = Carriage::slab_copy;
    } else {
      piece.bytes = base::align_down(piece.bytes, alignment);
      decision.carriage = Carriage::in_place;
    }
    return;
  }
  decision.carriage = Carriage::slab_copy;
  // What goes on afterwards ends on a boundary, so that the next piece starts aligned; a slab holds the widened ends
  // too.
  const std::uint64_t room = options_.slab_bytes - 2 * alignment;
  if (!goes_on && piece.bytes <= room) return;
  piece.bytes = std::min(piece.bytes, room);
  const std::uint64_t end = base::align_down(piece.store_offset + piece.bytes, alignment);
  if (end > piece.store_offset) piece.bytes = end - piece.store_offset;
}

}  // namespace gpuio::core
