// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>

/// From which size on copies between host memory pass the caches: one number for the process, as it has one machine.
namespace gpuio::core {

/// Where no cost model says otherwise. Measured on a server core with 32 MiB of last-level cache: of cold memory, 20
/// GB/s instead of 8; of memory that lies in the caches, 15 instead of 24, and above 8 MiB no longer less either. So it
/// begins where memory is rarely all in the caches.
inline constexpr std::size_t kStreamedBytesMin = 4U << 20U;

inline std::atomic<std::size_t>& streamed_bytes_setting() noexcept {
  static constinit std::atomic<std::size_t> bytes{kStreamedBytesMin};
  return bytes;
}

/// The model's number, of the last Context that read one, or the default. Costs one load.
[[nodiscard]] inline std::size_t streamed_bytes_min() noexcept {
  return streamed_bytes_setting().load(std::memory_order_relaxed);
}

}  // namespace gpuio::core
