// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/spi/executor.h"

namespace gpuio::host {

class Stream;

/// One recorded point of a stream. Each `record` makes a new one, so that a wait refers to what was recorded when it
/// was queued, even if the event is recorded again meanwhile. Thread safety: all members.
class Mark {
 public:
  [[nodiscard]] bool reached() const noexcept { return reached_.load(std::memory_order_acquire) != 0; }
  [[nodiscard]] std::atomic<std::uint32_t>& word() noexcept {
    return reached_;
  }  ///< 0 until reached, for Executor::wait

  void reach(spi::Executor& executor);

  /// Has `stream` resumed when the mark is reached; false if it is already. After true, the stream may run elsewhere.
  bool park(std::shared_ptr<Stream> stream);
  /// Takes a parked stream back; false if it is being resumed.
  bool unpark(const Stream* stream);

 private:
  std::atomic<std::uint32_t> reached_{0};
  std::mutex mutex_;
  std::vector<std::shared_ptr<Stream>> parked_;
};

/// What an EventHandle points to. Recording inside a capture marks a place in the graph, not a time.
class Event {
 public:
  struct State {
    std::shared_ptr<Mark> mark;         ///< Null until first recorded.
    const void* captured_by = nullptr;  ///< The stream whose capture it was last recorded in.
  };
  void set(State state) {
    std::lock_guard lock(mutex_);
    state_ = std::move(state);
  }
  [[nodiscard]] State get() const {
    std::lock_guard lock(mutex_);
    return state_;
  }

 private:
  mutable std::mutex mutex_;
  State state_;
};

}  // namespace gpuio::host
