// SPDX-License-Identifier: Apache-2.0
// Runs without a store. Each is one piece, whatever its Layouts name: a position in both and a length.
#include <algorithm>

#include "core/copy/host_fill.h"
#include "core/request/run_builder.h"
#include "core/spi/kernels.h"

namespace gpuio::core {
namespace {

/// A kernel gives each segment to one group of lanes: a long one is cut, so that all have work.
constexpr std::uint64_t kSegmentBytesMax = 256U << 10U;

/// Where pieces would be counted from if `slab` were the part at `offset` of what they are counted from.
std::byte* slab_as_part(const Slab& slab, std::uint64_t offset) {
  return reinterpret_cast<std::byte*>(reinterpret_cast<std::uintptr_t>(slab.memory) -
                                      offset);  // NOLINT(performance-no-int-to-ptr)
}

/// Filling is bound by the device's memory: long runs, so that the host has nothing to do.
constexpr std::uint64_t kFillBytesMax = 1U << 30U;

}  // namespace

RunBuilder::Extend RunBuilder::extend_span(RunState& run, RequestState& request, const ResolvedTransfer& transfer) {
  if (!run.pieces.empty()) return Extend::full;
  Decision decision;
  decision.carriage = transfer.carriage;
  decision.reason = transfer.reason;
  if (const Extend begun = begin(run, request, transfer, decision); begun != Extend::more) {
    return begun == Extend::failed ? without_pinned(request, "no pinned memory to pack its many pieces in") : begun;
  }
  const LayoutCursor start = *request.cut;
  const std::uint64_t left = start.remaining_bytes();
  std::uint64_t bytes = std::min(left, span_bytes_max_);
  if (transfer.carriage == Carriage::copy_kernel) {
    const Extend taken = take_list(run, transfer);
    if (taken == Extend::failed) {
      return without_pinned(request, "no pinned memory for a kernel's list of its many pieces");
    }
    if (taken != Extend::more) return taken;
    bytes = add_kernel_list(run, request, transfer);
  } else {
    if (transfer.carriage == Carriage::device_copy) {
      bytes = std::min(left, kFillBytesMax);
      if (!request.pattern.is_one_byte()) {
        if (const Extend taken = take_list(run, transfer); taken != Extend::more) return taken;
        host_fill(run.list->memory, run.list->bytes, request.pattern, start.memory_offset(), run.list->bytes);
      }
    }
    if (run.slab != nullptr) bytes = std::min<std::uint64_t>(bytes, run.slab->bytes);
    request.cut->skip(bytes);
  }
  run.span = CopySpan{start, bytes, transfer.bytes, transfer.source_memory, transfer.memory, request.pattern};
  run.bytes = bytes;
  run.pieces.push_back({&request, request.cut_transfer, start.store_offset(), bytes, nullptr,
                        transfer.memory + start.memory_offset(), 0});
  if (run.slab != nullptr) put_in_slab(run);
  ++request.pieces_outstanding;
  settle(request);
  return Extend::full;
}

RunBuilder::Extend RunBuilder::without_pinned(RequestState& request, std::string_view reason) {
  if (request.first_transfer.plain) return Extend::failed;
  request.first_transfer.carriage = Carriage::device_copy;
  request.first_transfer.reason = reason;
  return Extend::more;
}

/// The device's side is one piece, so the slab holds its bytes in their order and one copy moves them.
void RunBuilder::put_in_slab(RunState& run) {
  CopySpan& span = *run.span;
  Piece& piece = run.pieces.front();
  if (run.leaves_device) {
    piece.host = const_cast<std::byte*>(span.source) + span.begin.store_offset();
    piece.memory = run.slab->memory;
    span.source = slab_as_part(*run.slab, span.begin.store_offset());
  } else {
    piece.host = run.slab->memory;
    span.destination = slab_as_part(*run.slab, span.begin.memory_offset());
    span.whole_bytes = 0;  // however long it is: a slab stays in the caches
  }
}

RunBuilder::Extend RunBuilder::take_list(RunState& run, const ResolvedTransfer& transfer) {
  run.ring = &transfer.device->ring(run.lane);
  run.list = run.ring->acquire(SlabClass::small, run.urgent);
  if (run.list != nullptr) return Extend::more;
  failure_ = run.ring->status(SlabClass::small);
  return failure_.ok() ? Extend::blocked : Extend::failed;
}

std::uint64_t RunBuilder::add_kernel_list(RunState& run, RequestState& request, const ResolvedTransfer& transfer) {
  auto* const list = reinterpret_cast<spi::MoveSegment*>(run.list->memory);
  const std::uint64_t count_max = run.list->bytes / sizeof(spi::MoveSegment);
  std::uint64_t bytes = 0;
  while (!request.cut->done() && run.list_count < count_max && bytes < options_.run_bytes_max) {
    const LayoutCursor::Piece piece = request.cut->next(std::min(kSegmentBytesMax, options_.run_bytes_max - bytes));
    list[run.list_count++] = {transfer.source_memory + piece.store_offset, transfer.memory + piece.memory_offset,
                              piece.bytes};
    bytes += piece.bytes;
  }
  return bytes;
}

}  // namespace gpuio::core
