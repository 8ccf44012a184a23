// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "cli/interrupt.h"
#include "cli/source.h"
#include "gpuio/context.hpp"

namespace gpuio::cli {

/// The best rate at which host memory was seen to move into `memory` (whose contents are lost): for an accelerator,
/// copies from pinned memory with several in flight; for the host, memcpy on all processors. Takes about half a second.
double measure_copy_rate(const Context& context, const Device& device, const Slice& memory, const Interrupt& interrupt);

/// The rate at which the files' disk delivers O_DIRECT reads of 1 MiB with 16 in flight; none where a file system
/// refuses O_DIRECT. Takes up to two seconds.
std::optional<double> measure_disk_rate(const Source& source, const Interrupt& interrupt);

/// The shortest time in which a load can be done, and what sets it.
struct Bound {
  double seconds = 0;
  bool by_disk = false;
};

/// All `bytes` pass the copy, `disk_bytes` of them the disk before, and the two overlap.
Bound bound_of_load(std::uint64_t bytes, std::uint64_t disk_bytes, double copy_rate, std::optional<double> disk_rate);

}  // namespace gpuio::cli
