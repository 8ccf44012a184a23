// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "core/spi/storage.h"
#include "engine/local/alignment.h"

namespace gpuio::local {

/// An open file as those see it who move its bytes: handles, what O_DIRECT needs, length, whether a flush failed.
/// Thread safety: all members.
class StoreFile {
 public:
  /// `direct` is -1 where there is no O_DIRECT handle.
  StoreFile(std::string path, spi::FileHandle buffered, spi::FileHandle direct, const spi::FileAttributes& attributes);

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] spi::FileHandle buffered() const noexcept { return buffered_; }
  [[nodiscard]] spi::FileHandle direct() const noexcept { return direct_; }
  [[nodiscard]] const spi::FileAttributes& attributes() const noexcept { return attributes_; }  ///< When it was opened.

  [[nodiscard]] const DirectAlignment& alignment() const noexcept { return alignment_; }

  /// An O_DIRECT operation was rejected (EINVAL): asks for more alignment from now on, or for none of it any more.
  void reject_direct(std::uint64_t offset, std::uintptr_t address, std::uint64_t bytes);

  [[nodiscard]] std::uint64_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  void set_size(std::uint64_t size_bytes) noexcept { size_.store(size_bytes, std::memory_order_relaxed); }
  void grow_to(std::uint64_t size_bytes) noexcept;

  [[nodiscard]] bool poisoned() const noexcept { return poisoned_.load(std::memory_order_acquire); }
  /// ok, or `poisoned` with what the flush said.
  [[nodiscard]] Status healthy() const;
  void poison(const Status& cause);

 private:
  std::string path_;
  spi::FileHandle buffered_;
  spi::FileHandle direct_;
  spi::FileAttributes attributes_;
  DirectAlignment alignment_;
  std::atomic<std::uint64_t> size_;
  std::atomic<bool> poisoned_{false};
  mutable std::mutex mutex_;
  Status poison_;  // guarded by mutex_
};

}  // namespace gpuio::local
