// SPDX-License-Identifier: Apache-2.0
#include "cli/read_loop.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>

#include "cli/local_file.h"
#include "cli/verify.h"
#include "cli/workers.h"

namespace gpuio::cli {

Measured read_loop(const Context& context, const Device& device, const Source& source, const LoadBatch& batch,
                   const Slice& memory, double seconds_max, const Interrupt& interrupt,
                   const std::function<void(std::uint64_t)>& tick) {
  const bool into_place = memory.can(Ability::host_load_store).available;
  const Buffer chunk = into_place ? Buffer() : allocate_staging(context, device, kLoopChunkBytes);
  Measured measured;
  const auto start = std::chrono::steady_clock::now();
  std::optional<LocalFile> file;
  std::optional<std::size_t> open_file;
  for (const Placement& placement : batch.placements) {
    const std::size_t wanted_file = source.pieces[placement.piece].file;
    if (open_file != wanted_file) {
      file.emplace(source.files[wanted_file].path);
      open_file = wanted_file;
    }
    for (std::uint64_t at = 0; at < placement.extent.length;) {
      interrupt.check();
      const std::uint64_t length = std::min(kLoopChunkBytes, placement.extent.length - at);
      std::byte* target = into_place ? memory.data() + placement.memory_offset + at : chunk.data();
      file->read(std::span(target, length), placement.extent.offset + at);
      if (!into_place) {
        const Slice destination = memory.slice(placement.memory_offset + at, length).value();
        throw_if_failed(context.copy(chunk.slice(0, length).value(), destination).value().wait());
      }
      at += length;
      measured.bytes += length;
      measured.seconds = seconds_since(start);
      tick(measured.bytes);
      if (measured.seconds >= seconds_max) return measured;
    }
  }
  return measured;
}

}  // namespace gpuio::cli
