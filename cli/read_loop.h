// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "cli/batch_plan.h"
#include "cli/interrupt.h"
#include "cli/source.h"

namespace gpuio::cli {

/// What a measurement moved, and how long that took.
struct Measured {
  std::uint64_t bytes = 0;
  double seconds = 0;

  [[nodiscard]] double bytes_per_second() const noexcept {
    return seconds > 0 ? static_cast<double>(bytes) / seconds : 0;
  }
};

inline constexpr std::uint64_t kLoopChunkBytes = 64ULL << 20;

/// The loop that people write without this library: read() a chunk, copy it to the device, one after the other on one
/// thread. On the host device it reads straight into the destination. Stops early once `seconds_max` have passed.
Measured read_loop(const Context& context, const Device& device, const Source& source, const LoadBatch& batch,
                   const Slice& memory, double seconds_max, const Interrupt& interrupt,
                   const std::function<void(std::uint64_t)>& tick);

}  // namespace gpuio::cli
