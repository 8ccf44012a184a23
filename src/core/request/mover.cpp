// SPDX-License-Identifier: Apache-2.0
#include "core/request/mover.h"

#include <algorithm>

#include "base/try.h"
#include "core/spi/kernels.h"

namespace gpuio::core {

Status Mover::start(RunState& run) {
  spi::StreamHandle stream = run.device->transfer_stream(!run.leaves_device, run.lane);
  GPUIO_ASSIGN(run.event, run.device->take_event());
  Status status = queue(run, stream);
  if (status.ok()) status = run.device->device().record(run.event, stream);
  if (!status.ok()) {
    run.device->give_event(run.event);
    run.event = nullptr;
    return status;
  }
  run.stage = Stage::copying;
  moving_.push_back(&run);
  return status;
}

Status Mover::queue(RunState& run, spi::StreamHandle stream) {
  const bool to_device = run.operation != Operation::write;
  spi::Device& device = run.device->device();
  if (run.operation == Operation::fill) return queue_fill(run, stream);
  if (run.path.carriage == Carriage::slab_kernel) {
    // The list lies behind the pieces' bytes in the same slab, where kernels can read it.
    auto* list = reinterpret_cast<spi::MoveSegment*>(run.slab->memory + run.slab->bytes) - run.pieces.size();
    std::uint64_t count = 0;
    for (const Piece& piece : run.pieces) {
      if (piece.request == nullptr) continue;
      list[count++] = to_device ? spi::MoveSegment{piece.host, piece.memory, piece.bytes}
                                : spi::MoveSegment{piece.memory, piece.host, piece.bytes};
    }
    const spi::SegmentsArguments arguments{list, count};
    return device.launch(stream, spi::KernelId::move_segments, &arguments);
  }
  if (run.path.carriage == Carriage::copy_kernel) {
    const spi::SegmentsArguments arguments{reinterpret_cast<const spi::MoveSegment*>(run.list->memory), run.list_count};
    return device.launch(stream, spi::KernelId::move_segments, &arguments);
  }
  if (run.list != nullptr) {
    const Piece& piece = run.pieces.front();
    auto* list = reinterpret_cast<spi::MoveSegment*>(run.list->memory);
    *list = {piece.host, piece.memory, piece.bytes};
    const spi::SegmentsArguments arguments{list, 1};
    return device.launch(stream, spi::KernelId::move_segments, &arguments);
  }
  segments_.clear();
  for (const Piece& piece : run.pieces) {
    if (piece.request == nullptr) continue;
    segments_.push_back(to_device ? spi::CopySegment{piece.host, piece.memory, piece.bytes}
                                  : spi::CopySegment{piece.memory, piece.host, piece.bytes});
  }
  return device.copy(stream, segments_);
}

/// A pattern is copied once from the host; from then on the device copies what it has, twice as much each time.
Status Mover::queue_fill(const RunState& run, spi::StreamHandle stream) {
  spi::Device& device = run.device->device();
  const Piece& piece = run.pieces.front();
  const FillPattern& pattern = run.span->pattern;
  if (run.list == nullptr) return device.fill(stream, piece.memory, pattern.bytes[0], piece.bytes);
  const std::uint64_t whole_patterns = run.list->bytes - run.list->bytes % pattern.size;
  spi::CopySegment segment{run.list->memory, piece.memory, std::min(piece.bytes, whole_patterns)};
  for (std::uint64_t done = 0; done < piece.bytes;) {
    GPUIO_TRY(device.copy(stream, std::span(&segment, 1)));
    done += segment.bytes;
    segment = {piece.memory, piece.memory + done, std::min(done, piece.bytes - done)};
  }
  return {};
}

}  // namespace gpuio::core
