// SPDX-License-Identifier: Apache-2.0
#include "core/request/run_builder.h"

#include <algorithm>

#include "base/align.h"
#include "base/planted_bug.h"
#include "core/spi/kernels.h"

namespace gpuio::core {
namespace {

/// Pieces of one run: enough to fill a slab with 8 KiB rows, few enough that several runs overlap.
constexpr std::size_t kPiecesMax = 1024;

/// Below this, what a piece costs the reactor shows beside the moving of its bytes.
constexpr std::uint64_t kAlikeBytesMax = 1U << 20U;

/// Fewer are not worth a kernel's start.
constexpr std::size_t kKernelPiecesMin = 8;

/// Behind the bytes of a slab: the kernel's list. A small slab holds a shorter one, or nothing would be left for bytes.
constexpr std::uint64_t list_bytes(std::uint64_t slab_bytes) {
  return std::min<std::uint64_t>(kPiecesMax * sizeof(spi::MoveSegment), slab_bytes / 4);
}

bool has_room(const RunState& run) {
  const std::size_t most = run.slab == nullptr ? kPiecesMax : list_bytes(run.slab->bytes) / sizeof(spi::MoveSegment);
  return std::max(run.pieces.size(), run.segment_list.size()) < most;
}

/// Adds a segment and the piece that it carries: to the last one, if that is the same Request's and shares no segment.
void add_segment(RunState& run, const Piece& piece) {
  const auto bytes = static_cast<std::uint32_t>(piece.bytes);
  Piece* last = run.pieces.empty() ? nullptr : &run.pieces.back();
  const bool goes_on = last != nullptr && last->request == piece.request && last->transfer == piece.transfer &&
                       (last->segments > 1 || last->bytes == run.segment_list.back().bytes);
  run.segment_list.push_back({piece.store_offset, piece.memory, bytes, bytes});
  if (goes_on) {
    ++last->segments;
    last->bytes += bytes;
  } else {
    run.pieces.push_back(piece);
    ++piece.request->pieces_outstanding;
  }
}

bool by_engine(const ResolvedTransfer& transfer) { return transfer.carriage == Carriage::device_copy; }

bool uses_slab(Carriage carriage) {
  return carriage == Carriage::slab_copy || carriage == Carriage::slab_kernel || carriage == Carriage::packed_copy;
}

std::uint64_t remaining_bytes(const RequestState& request) {
  std::uint64_t bytes = request.cut->remaining_bytes();
  for (std::size_t i = request.cut_transfer + 1; i < request.transfer_count; ++i) bytes += request.transfer(i).bytes;
  return bytes;
}

}  // namespace

RunBuilder::Outcome RunBuilder::build(RunState& run, std::deque<RequestPointer>& queue, std::uint64_t storage_bytes_max,
                                      std::uint64_t span_bytes_max) {
  span_bytes_max_ = span_bytes_max;
  cut_to_end_.clear();
  while (!queue.empty()) {
    RequestState& request = *queue.front();
    Extend step = Extend::more;
    while (step == Extend::more && !request.cut_done) step = extend(run, request, storage_bytes_max);
    if (request.cut_done) {
      cut_to_end_.push_back(std::move(queue.front()));
      queue.pop_front();
    }
    if (step == Extend::more) continue;
    if (!run.pieces.empty()) break;
    if (step == Extend::full) failure_ = Status(Code::internal, "a piece that fits no slab");
    return step == Extend::blocked ? Outcome::blocked : Outcome::failed;
  }
  if (run.pieces.empty()) return Outcome::exhausted;
  if (run.path.carriage == Carriage::slab_copy && pays_kernel(run)) run.path.carriage = Carriage::slab_kernel;
  run.segments = run.segment_list;
  return Outcome::built;
}

bool RunBuilder::pays_kernel(const RunState& run) const noexcept {
  const spi::Device& device = run.device->device();
  if (run.lane == Lane::unassisted || device.memory_is_host() || run.pieces.size() < kKernelPiecesMin) return false;
  return run.bytes / run.pieces.size() <= options_.costs->kernel_piece_bytes_max(device.info());
}

RunBuilder::Extend RunBuilder::extend(RunState& run, RequestState& request, std::uint64_t storage_bytes_max) {
  const ResolvedTransfer& transfer = request.transfer(request.cut_transfer);
  if (request.operation == Operation::fill || (has_no_store(request.operation) && !by_engine(transfer))) {
    return extend_span(run, request, transfer);
  }
  Decision decision = planner_.decide(request, transfer, storage_bytes_max);
  if (decision.wait) {
    failure_ = Status();
    return run.pieces.empty() ? Extend::blocked : Extend::full;
  }
  if (run.pieces.empty()) {
    const Extend step = begin(run, request, transfer, decision);
    if (step != Extend::more) return step;
    if (run.slab != nullptr) cut_to_slab(run, decision);
  } else if (!fits(run, request, transfer, decision, storage_bytes_max)) {
    return Extend::full;
  }
  const bool added = uses_slab(run.path.carriage) ? add_to_slab(run, request, transfer, decision)
                                                  : add_in_place(run, request, transfer, decision);
  if (!added) return Extend::full;
  if (run.slab != nullptr) slab_room_ = run.slab->bytes - list_bytes(run.slab->bytes);
  run.bytes += decision.piece.bytes;
  advance(request, decision.piece.bytes);
  if (is_lent(run.path.carriage)) return Extend::full;
  if (run.path.carriage == Carriage::in_place) add_alike(run, request, storage_bytes_max);
  return has_room(run) ? Extend::more : Extend::full;
}

void RunBuilder::add_alike(RunState& run, RequestState& request, std::uint64_t storage_bytes_max) {
  const std::size_t transfer_index = run.pieces.back().transfer;
  if (request.cut_done || request.cut_transfer != transfer_index) return;
  const ResolvedTransfer& transfer = request.transfer(transfer_index);
  const std::uint64_t bytes_max = run.way == spi::Way::cached ? options_.run_bytes_max : storage_bytes_max;
  while (!request.cut->done() && has_room(run) && run.bytes < bytes_max) {
    const std::uint64_t most = std::min(bytes_max - run.bytes, kAlikeBytesMax);
    LayoutCursor ahead = *request.cut;
    const LayoutCursor::Piece piece = ahead.next(most);
    std::byte* memory = transfer.memory + piece.memory_offset;
    // What may have been cut, here or before, is for the planner to look at.
    const spi::Segment& last = run.segment_list.back();
    const bool touches = last.offset + last.bytes == piece.store_offset && last.memory + last.bytes == memory;
    if (touches || piece.bytes == most || !planner_.travels_in_place(request, transfer, piece, run.way)) break;
    add_segment(run, {&request, transfer_index, piece.store_offset, piece.bytes, memory, memory,
                      static_cast<std::uint32_t>(run.segment_list.size())});
    run.storage_bytes += piece.bytes;
    run.bytes += piece.bytes;
    *request.cut = ahead;
  }
  settle(request);
}

void RunBuilder::cut_to_slab(const RunState& run, Decision& decision) noexcept {
  // A long piece may have all of it: the kernel's list is for many.
  const bool alone = decision.piece.bytes > kKernelPieceBytesMax;
  slab_room_ = run.slab->bytes - (alone ? 0 : list_bytes(run.slab->bytes));
  const std::uint64_t widening = decision.alignment > 1 ? 2ULL * decision.alignment : 0;
  decision.piece.bytes = std::min(decision.piece.bytes, slab_room_ - widening);
}

RunBuilder::Extend RunBuilder::begin(RunState& run, RequestState& request, const ResolvedTransfer& transfer,
                                     const Decision& decision) {
  run.reset();
  run.operation = request.operation;
  run.kind = request.operation == Operation::write ? spi::RunKind::write : spi::RunKind::read;
  run.priority = request.priority;
  run.lane = request.lane();
  run.urgent = run.lane != Lane::bulk;
  run.store_state = transfer.store;
  run.store = transfer.store ? &transfer.store->store() : nullptr;
  run.device = transfer.device;
  run.cxl = request.cxl;
  run.leaves_device =
      request.operation == Operation::write || (request.operation == Operation::copy && transfer.host_reachable);
  run.way = decision.way;
  run.path = {decision.way, decision.carriage};
  run.chosen = decision.carriage;
  run.medium = decision.medium;
  const std::string_view without_store = request.operation == Operation::fill ? "pattern" : "memory";
  run.way_name = run.store != nullptr ? run.store->way_name(decision.way) : without_store;
  run.reason = decision.reason;
  run.deadline_ns = request.deadline_ns;
  slab_used_ = 0;
  if (!uses_slab(decision.carriage)) return Extend::more;

  run.ring = &transfer.device->ring(run.lane);
  const std::uint64_t wanted = remaining_bytes(request) + 2ULL * decision.alignment;
  const bool small = run.urgent || wanted + list_bytes(run.ring->small_bytes()) <= run.ring->small_bytes();
  const SlabClass size_class = small ? SlabClass::small : SlabClass::big;
  run.slab = run.ring->acquire(size_class, run.urgent, wanted);
  // A short rest of a long Request does not wait for the few small slabs while there are others.
  if (run.slab == nullptr && small && !run.urgent) run.slab = run.ring->acquire(SlabClass::big, false);
  if (run.slab != nullptr) return Extend::more;
  failure_ = run.ring->status(size_class);
  return failure_.ok() ? Extend::blocked : Extend::failed;
}

bool RunBuilder::fits(const RunState& run, const RequestState& request, const ResolvedTransfer& transfer,
                      const Decision& decision, std::uint64_t storage_bytes_max) const noexcept {
  return run.store_state == transfer.store && run.device == transfer.device && run.operation == request.operation &&
         run.way == decision.way && run.path.carriage == decision.carriage && run.lane == request.lane() &&
         run.bytes + decision.piece.bytes <=
             (decision.way == spi::Way::cached ? options_.run_bytes_max : storage_bytes_max);
}

bool RunBuilder::add_in_place(RunState& run, RequestState& request, const ResolvedTransfer& transfer,
                              const Decision& decision) {
  const LayoutCursor::Piece& piece = decision.piece;
  std::byte* memory = transfer.memory + piece.memory_offset;
  const auto bytes = static_cast<std::uint32_t>(piece.bytes);
  if (request.operation == Operation::copy) {
    std::byte* source = const_cast<std::byte*>(transfer.source_memory) + piece.store_offset;
    run.pieces.push_back({&request, request.cut_transfer, piece.store_offset, piece.bytes, source, memory, 0});
    ++request.pieces_outstanding;
    return true;
  }
  run.storage_bytes += bytes;
  if (run.path.carriage == Carriage::in_place) request.reached_in_place.store(true, std::memory_order_relaxed);
  const auto segment = static_cast<std::uint32_t>(run.segment_list.size());
  Piece added{&request, request.cut_transfer, piece.store_offset, piece.bytes, memory, memory, segment};
  spi::Segment* last = run.segment_list.empty() ? nullptr : &run.segment_list.back();
  const bool joins = last != nullptr && last->offset + last->bytes == piece.store_offset &&
                     last->memory + last->bytes == memory && run.pieces.back().segments == 1;
  if (!joins) {
    add_segment(run, added);
    return true;
  }
  last->bytes += bytes;
  last->required += bytes;
  ++coalesced_;
  --added.segment;
  run.pieces.push_back(added);
  ++request.pieces_outstanding;
  return true;
}

bool RunBuilder::add_to_slab(RunState& run, RequestState& request, const ResolvedTransfer& transfer,
                             const Decision& decision) {
  const LayoutCursor::Piece& piece = decision.piece;
  const std::uint64_t begin = base::align_down(piece.store_offset, decision.alignment);
  const std::uint64_t end = base::align_up(piece.store_offset + piece.bytes, decision.alignment);
  spi::Segment* last = run.segment_list.empty() ? nullptr : &run.segment_list.back();
  const std::uint64_t gap_max =
      decision.way == spi::Way::cached || run.operation == Operation::write ? 0 : options_.coalesce_gap_bytes;
  const bool joins = last != nullptr && begin >= last->offset && begin <= last->offset + last->bytes + gap_max &&
                     (run.operation == Operation::read || begin == last->offset + last->bytes);
  if (joins) {
    const std::uint64_t joined = std::max<std::uint64_t>(end - last->offset, last->bytes);
    const auto start = static_cast<std::uint64_t>(last->memory - run.slab->memory);
    if (start + joined > slab_room_) return false;
    run.storage_bytes += joined - last->bytes;
    last->bytes = static_cast<std::uint32_t>(joined);
    last->required =
        std::max(last->required, static_cast<std::uint32_t>(piece.store_offset + piece.bytes - last->offset));
    slab_used_ = start + joined;
    ++coalesced_;
    request.coalesced.fetch_add(1, std::memory_order_relaxed);
  } else {
    const std::uint64_t start = base::align_up(slab_used_, std::max<std::uint64_t>(decision.memory_alignment, 16));
    if (start + (end - begin) > slab_room_) return false;
    run.segment_list.push_back({begin, run.slab->memory + start, static_cast<std::uint32_t>(end - begin),
                                static_cast<std::uint32_t>(piece.store_offset + piece.bytes - begin)});
    slab_used_ = start + (end - begin);
    run.storage_bytes += end - begin;
    last = &run.segment_list.back();
  }
  const bool forgets_widening = base::planted_bug("widened_head_is_delivered");
  std::byte* host = last->memory + (forgets_widening ? 0 : piece.store_offset - last->offset);
  const auto segment = static_cast<std::uint32_t>(run.segment_list.size() - 1);
  run.pieces.push_back({&request, request.cut_transfer, piece.store_offset, piece.bytes, host,
                        transfer.memory + piece.memory_offset, segment});
  ++request.pieces_outstanding;
  return true;
}

void RunBuilder::advance(RequestState& request, std::uint64_t bytes) {
  (void)request.cut->next(bytes);
  settle(request);
}

void RunBuilder::settle(RequestState& request) {
  while (request.cut->done()) {
    if (++request.cut_transfer == request.transfer_count) {
      request.cut_done = true;
      request.cut.reset();
      return;
    }
    request.cut.emplace(request.transfer(request.cut_transfer).cursor());
  }
}

}  // namespace gpuio::core
