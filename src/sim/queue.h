// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "sim/file_system.h"

namespace gpuio::sim {

/// A storage queue over a simulated disk: operations take time, overtake each other, and touch their memory at the
/// moment they complete and not before, which is when it hurts most. Thread safety: as spi::StorageQueue.
class Queue final : public spi::StorageQueue {
 public:
  Queue(std::shared_ptr<Fate> fate, std::shared_ptr<FileSystem> files, base::Clock& clock)
      : fate_(std::move(fate)), files_(std::move(files)), clock_(clock) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "sim"; }
  std::size_t submit(std::span<const spi::StorageOperation> operations) override;
  std::size_t reap(std::span<spi::StorageResult> results) override;
  void cancel(std::uint64_t cookie) override;
  [[nodiscard]] int wake_fd() const noexcept override { return -1; }
  void register_memory(std::byte* /*base*/, std::size_t /*bytes*/) override {}
  void unregister_memory(std::byte* /*base*/) override {}

 private:
  struct Pending {
    spi::StorageOperation operation;
    std::shared_ptr<FileSystem::OpenFile> file;
    std::uint64_t due_ns = 0;
    bool cancelled = false;
  };
  [[nodiscard]] std::int64_t complete(const Pending& pending);

  const std::shared_ptr<Fate> fate_;
  const std::shared_ptr<FileSystem> files_;
  base::Clock& clock_;
  std::uint64_t busy_until_ns_ = 0;
  std::vector<Pending> pending_;
};

}  // namespace gpuio::sim
