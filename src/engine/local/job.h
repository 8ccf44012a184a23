// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "core/spi/engine.h"
#include "engine/local/piece.h"
#include "engine/local/store_file.h"

namespace gpuio::local {

/// A run while the engine has it: how far it is cut into pieces, what failed, who still holds it. Pooled: never freed
/// while the engine lives, so `Run::engine_data` may point to one whose run is over.
class Job {
 public:
  void begin(spi::Run& run, StoreFile& file);

  [[nodiscard]] bool carries(const spi::Run& run) const noexcept {
    return run_.load(std::memory_order_acquire) == &run;
  }
  [[nodiscard]] spi::Run& run() const noexcept { return *run_.load(std::memory_order_relaxed); }
  [[nodiscard]] StoreFile& file() const noexcept { return *file_; }
  [[nodiscard]] PieceCursor& cursor() noexcept { return cursor_; }

  void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }
  /// Why no further piece may start now; ok if one may.
  [[nodiscard]] Status stopped(std::uint64_t now_ns) const;
  [[nodiscard]] bool stop_asked(std::uint64_t now_ns) const noexcept {
    return cancelled_.load(std::memory_order_relaxed) || now_ns >= run().deadline_ns ||
           (run().kind != spi::RunKind::read && file_->poisoned());
  }

  /// All segments from the cursor on fail with `reason`. Once; by whoever holds the cursor.
  void drop_rest(const Status& reason);

  // Thread-safe.
  void fail(std::uint32_t segment, Status status);
  void count_retry() noexcept { retries_.fetch_add(1, std::memory_order_relaxed); }
  void count_short() noexcept { short_transfers_.fetch_add(1, std::memory_order_relaxed); }

  void hold(std::uint32_t count = 1) noexcept { holders_.fetch_add(count, std::memory_order_relaxed); }
  /// True for the last holder, who then calls `end`.
  [[nodiscard]] bool let_go() noexcept { return holders_.fetch_sub(1, std::memory_order_acq_rel) == 1; }

  /// Detaches from the run and returns it, for the caller to put the job back and then to finish the run.
  [[nodiscard]] spi::Run& end();

 protected:
  ~Job() = default;

 private:
  std::atomic<spi::Run*> run_{nullptr};
  StoreFile* file_ = nullptr;
  PieceCursor cursor_;
  std::atomic<bool> cancelled_{false};
  std::atomic<std::uint32_t> holders_{0};
  std::atomic<std::uint32_t> retries_{0};
  std::atomic<std::uint32_t> short_transfers_{0};
  std::mutex failures_mutex_;
};

/// Jobs to be used again and again. Thread safety: all members.
template <class T>
class JobPool {
 public:
  template <class... Arguments>
  T& take(Arguments&&... arguments) {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
      all_.push_back(std::make_unique<T>(std::forward<Arguments>(arguments)...));
      free_.reserve(all_.size());
      return *all_.back();
    }
    T* job = free_.back();
    free_.pop_back();
    return *job;
  }

  void give(T& job) {
    const std::lock_guard lock(mutex_);
    free_.push_back(&job);
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> all_;
  std::vector<T*> free_;
};

/// What a piece failed of: errno, store, offset, length and way.
[[nodiscard]] Status describe_failure(const Job& job, const Piece& piece, Step step, std::int64_t result,
                                      std::string_view way);

}  // namespace gpuio::local
