// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "core/spi/storage.h"

namespace gpuio::local {

/// What O_DIRECT asks of offsets and memory for one store: what the file system reports at first, then what it is seen
/// to accept (a loop device may reject what it reported). Thread safety: all members.
class DirectAlignment {
 public:
  /// Buffered and O_DIRECT writes must never share a page of the cache: its write-back would put old bytes over new.
  static constexpr std::uint32_t kPageBytes = 4096;

  enum class Lesson : std::uint8_t { already_known, raised, unusable };

  DirectAlignment() = default;  ///< Unusable.
  explicit DirectAlignment(const spi::FileAttributes& attributes);

  [[nodiscard]] bool usable() const noexcept { return offset() != 0; }
  [[nodiscard]] std::uint32_t offset() const noexcept { return offset_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t memory() const noexcept { return memory_.load(std::memory_order_relaxed); }

  /// An operation at `offset` for `bytes` into `address` was rejected (EINVAL). Asks for whole pages next time;
  /// unusable if it was made of whole pages.
  Lesson rejected(std::uint64_t offset, std::uintptr_t address, std::uint64_t bytes) noexcept;
  void give_up() noexcept { offset_.store(0, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> offset_{0};
  std::atomic<std::uint32_t> memory_{1};
};

}  // namespace gpuio::local
