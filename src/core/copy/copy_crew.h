// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "core/copy/copy_shares.h"
#include "core/copy/copy_span.h"
#include "core/placement/placement_system.h"
#include "core/spi/engine.h"
#include "core/spi/executor.h"

namespace gpuio::core {

/// Moves a span by workers of the pool: each takes the next part as it ends one, and lets other tasks go first between
/// two, so that what is small waits for a part and not for the span. Its tasks are kept for the next span, so a steady
/// flow allocates nothing, however many pieces the Layouts have: a part is two positions and a length. Where workers
/// are bound to several memory nodes, each begins with what is near it. Thread safety: one span at a time; `give_up`,
/// any thread.
class CopyCrew {
 public:
  explicit CopyCrew(PlacementSystem& system = PlacementSystem::process()) noexcept : system_(system) {}
  CopyCrew(const CopyCrew&) = delete;
  CopyCrew& operator=(const CopyCrew&) = delete;

  /// `run.finish()` follows, from the task that ends last, and maybe before this returns.
  void start(const CopySpan& span, spi::Run& run, spi::Executor& executor);

  /// Parts that have not begun are left out.
  void give_up() noexcept;

  /// How much was moved, once the run has finished.
  [[nodiscard]] std::uint64_t moved_bytes() const noexcept { return moved_bytes_; }

 private:
  struct Member final : spi::Task {
    Member(CopyCrew& owner, std::size_t share) : crew(&owner), home(share) {}
    void run() override;
    CopyCrew* crew;
    std::size_t home;  ///< Its share; then it helps with others.
  };

  void post_members();
  void post(Member& member);
  /// The next part; none where all is moved or given up.
  [[nodiscard]] std::optional<CopySpan> take(std::size_t home) noexcept;

  PlacementSystem& system_;
  std::vector<Member> members_;
  std::mutex mutex_;  ///< Guards the next three; held while a position is moved on.
  std::vector<CopyShare> shares_;
  std::uint64_t moved_bytes_ = 0;
  bool given_up_ = false;
  std::atomic<std::size_t> left_{0};
  spi::Run* run_ = nullptr;
  spi::Executor* executor_ = nullptr;
};

}  // namespace gpuio::core
