// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <mutex>
#include <span>
#include <vector>

#include "core/spi/device.h"
#include "device/cuda/table.h"

namespace gpuio::cuda {

/// Host memory registered with one GPU. The driver gets at most a chunk at a time, because it holds its locks while it
/// pins: other threads' calls wait that long. To it a larger range is several registrations, and no copy may go from
/// one into the next. Thread safety: all members; the driver is never called under a lock of ours.
class Registrations {
 public:
  static constexpr std::size_t kChunkBytes = std::size_t{64} << 30U;

  /// `chunk_bytes`: whole pages; smaller in tests.
  Registrations(const gpuio_cuda_table& table, gpuio_cuda_device* device, std::size_t chunk_bytes = kChunkBytes)
      : table_(table), device_(device), chunk_bytes_(chunk_bytes) {}

  /// Registers whole pages, all or none: chunks done before one that fails are undone in reverse.
  [[nodiscard]] Status add(std::byte* base, std::size_t bytes, spi::RegisterMode mode);

  /// Unregisters what was added, last chunk first. Fails with `not_found`, and stops at the first chunk that the driver
  /// keeps; called again, it goes on there.
  [[nodiscard]] Status remove(std::byte* base, std::size_t bytes);

  /// Whether any range here has more than one chunk, so that copies must be cut.
  [[nodiscard]] bool chunked() const noexcept { return chunked_.load(std::memory_order_acquire) > 0; }

  /// The same copies in pieces of which none goes from one chunk into the next.
  [[nodiscard]] std::vector<spi::CopySegment> cut(std::span<const spi::CopySegment> segments) const;

 private:
  [[nodiscard]] Status add_chunk(std::byte* base, std::size_t bytes, spi::RegisterMode mode) const;
  [[nodiscard]] Status remove_chunk(std::byte* base) const;
  /// Unregisters the chunks of [base, base + bytes) from the last on and leaves in `bytes` what is still registered.
  [[nodiscard]] Status remove_chunks(std::byte* base, std::size_t& bytes) const;
  /// How many of `bytes` from `address` on lie in the same chunk. Under the lock.
  [[nodiscard]] std::size_t within_chunk(const std::byte* address, std::size_t bytes) const;

  const gpuio_cuda_table& table_;
  gpuio_cuda_device* device_;
  std::size_t chunk_bytes_;
  std::atomic<std::size_t> chunked_{0};
  mutable std::mutex mutex_;
  std::map<std::byte*, std::size_t> large_;  ///< Ranges of several chunks, by base; bytes still registered.
};

}  // namespace gpuio::cuda
