// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/spi/engine.h"

namespace gpuio::core {

/// Host memory that a store's offsets refer to, as its runs see it. Held by each of them until it has ended. Thread
/// safety: all members, any thread.
class MemoryTarget {
 public:
  virtual ~MemoryTarget() = default;

  /// Null if the range is not there (any more): `check` says why, and nothing is moved.
  [[nodiscard]] virtual std::byte* address(std::uint64_t offset, std::uint64_t bytes) const noexcept = 0;

  /// Where processors' caches are not kept alike: what others stored is to be seen, what was stored here is to be seen
  /// by others.
  virtual void before_load(const std::byte* /*from*/, std::size_t /*bytes*/) const noexcept {}
  virtual void after_store(const std::byte* /*to*/, std::size_t /*bytes*/) const noexcept {}

  /// Asked after bytes were moved: whether all up to `end` were there. May cost a system call.
  [[nodiscard]] virtual Status check(std::uint64_t /*end*/) const { return {}; }
};

/// Moves runs between their segments and a MemoryTarget by tasks of the pool: the way of every store whose bytes are
/// memory.
class MemoryMover {
 public:
  explicit MemoryMover(spi::Executor& executor) noexcept : executor_(executor) {}

  /// `run.finish()` follows. Reactor only.
  void start(spi::Run& run, std::shared_ptr<const MemoryTarget> target) const;

  /// One segment, on this thread.
  static Status move_now(spi::RunKind kind, const spi::Segment& segment, const MemoryTarget& target);

 private:
  spi::Executor& executor_;
};

}  // namespace gpuio::core
