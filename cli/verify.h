// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cli/batch_plan.h"
#include "cli/interrupt.h"
#include "cli/source.h"

namespace gpuio::cli {

/// The first byte that is not what its file holds.
struct Difference {
  std::string path;
  std::string tensor;  ///< Empty for a plain file.
  std::uint64_t offset = 0;
  unsigned expected = 0;
  unsigned found = 0;
};

/// Compares every byte of `batch` in `memory` (on `device`) with a plain pread of its file, on several threads. Bytes
/// come back from the device by Context::copy. `tick` gets the bytes compared so far.
///
/// Throws gpuio::Error if a file can't be read any more, or on Ctrl-C.
std::optional<Difference> verify(const Context& context, const Device& device, const Source& source,
                                 const LoadBatch& batch, const Slice& memory, const Interrupt& interrupt,
                                 const std::function<void(std::uint64_t)>& tick);

/// Host memory that the device's copy engine reaches at full speed, or ordinary memory where no more can be pinned.
Buffer allocate_staging(const Context& context, const Device& device, std::uint64_t size_bytes);

}  // namespace gpuio::cli
