// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>

#include "gpuio/result.hpp"

namespace gpuio::spi {

/// Names memory of a device to another process; the device's own bytes.
using MemoryHandle = std::array<std::byte, 96>;

/// What a Device also is if its own memory can be passed to other processes. Thread safety: all members, any thread.
class MemoryExporter {
 public:
  virtual ~MemoryExporter() = default;

  /// A handle of [base, base + bytes), which must stay allocated as long as others use it.
  [[nodiscard]] virtual Result<MemoryHandle> export_memory(std::byte* base, std::size_t bytes) = 0;
  /// Maps what another process exported. Fails with `stale` where its process or memory is gone.
  [[nodiscard]] virtual Result<std::byte*> import_memory(const MemoryHandle& handle, std::size_t bytes) = 0;
  [[nodiscard]] virtual Status release_imported(std::byte* base, std::size_t bytes) = 0;
};

}  // namespace gpuio::spi
