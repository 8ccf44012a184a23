// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <mutex>
#include <vector>

#include "core/spi/executor.h"
#include "core/spi/storage.h"
#include "engine/local/job.h"

namespace gpuio::local {

/// Moves runs through the page cache by tasks of the executor's pool. Several tasks fill one run together: each takes
/// the next chunk of a large segment, or the next few dozen small ones, until none is left.
class PoolMover {
 public:
  struct Options {
    std::uint32_t tasks_max = 0;  ///< For one run; 0: as many as pay.
    bool batches = true;          ///< Small reads go to the system many at once.
  };
  PoolMover(spi::Executor& executor, spi::FileSystem& files, const Options& options);

  void start(spi::Run& run, StoreFile& file);  ///< Reactor only.

 private:
  static constexpr std::uint32_t kChunkBytes = 1U << 20;
  static constexpr std::size_t kGroupPieces = 64;
  /// After so many bytes a task goes to the end of the pool's queue, so that other runs get a turn.
  static constexpr std::uint64_t kTurnBytes = 8ULL << 20;

  class PoolJob;

  class MoveTask final : public spi::Task {
   public:
    MoveTask(PoolMover& mover, PoolJob& job) : mover_(mover), job_(job) {}
    void run() override { mover_.work(job_, *this); }

   private:
    PoolMover& mover_;
    PoolJob& job_;
  };

  class PoolJob final : public Job {
   public:
    explicit PoolJob(PoolMover& mover);
    std::vector<MoveTask> tasks;
    std::mutex cursor_mutex;
  };

  struct Group {
    std::array<Piece, kGroupPieces> pieces;
    std::size_t count = 0;
    std::uint64_t bytes = 0;
  };

  [[nodiscard]] std::size_t tasks_for(const spi::Run& run, const StoreFile& file) const;
  [[nodiscard]] bool claim(PoolJob& job, Group& group);
  void work(PoolJob& job, MoveTask& task);
  void move(PoolJob& job, Group& group);
  [[nodiscard]] std::int64_t attempt(const PoolJob& job, const Piece& piece);
  /// Goes on from what the first attempt gave.
  void finish(PoolJob& job, Piece& piece, std::int64_t result);

  spi::Executor& executor_;
  spi::FileSystem& files_;
  std::size_t tasks_max_;
  bool batches_;
  JobPool<PoolJob> jobs_;
};

}  // namespace gpuio::local
