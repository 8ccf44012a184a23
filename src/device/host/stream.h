// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "core/spi/executor.h"
#include "device/host/mark.h"
#include "device/host/operation.h"
#include "device/host/word_watch.h"
#include "gpuio/result.hpp"

namespace gpuio::host {

/// A queue of operations, run in order as one task of the pool at a time. A stream that has to wait is *parked*: it
/// holds no worker, and whoever brings what it waits for resumes it. Thread safety: all members but run.
class Stream final : public spi::Task, public std::enable_shared_from_this<Stream> {
 public:
  Stream(spi::Executor& executor, WordWatch& words) : executor_(executor), words_(words) {}

  /// Queues an operation, or records it while capturing.
  void push(const Operation& operation);
  /// As push of each, with nothing of other threads in between.
  void push_all(std::span<const Operation> operations);

  [[nodiscard]] Status begin_capture();
  [[nodiscard]] Result<std::unique_ptr<Graph>> end_capture();
  [[nodiscard]] bool capturing() const;

  /// Blocks until what is queued now has run.
  void synchronize();
  /// Drops what has not begun, gives up a wait, and blocks until the rest has run.
  void stop();

  void run() override;

  /// For those who end a wait: the operation at which the stream parked is over.
  void resume();
  /// For the crew that ran its operation: goes on from there on this thread.
  void finish_operation();

 private:
  enum class Step { done, elsewhere };
  Step execute(Operation& operation);
  Step wait_for(const std::shared_ptr<Mark>& mark);
  Step wait_for(const WaitWordOperation& wait);
  void complete(std::uint64_t operations);
  void unpark();

  spi::Executor& executor_;
  WordWatch& words_;

  mutable std::mutex mutex_;
  std::deque<Operation> queue_;
  std::optional<Graph> capture_;
  std::shared_ptr<Stream> alive_;    ///< Itself, while it has work: a destroyed stream's queued work still runs.
  std::shared_ptr<Mark> parked_at_;  ///< The mark it waits for.
  std::uint64_t queued_ = 0;

  std::atomic<std::uint64_t> completed_{0};
  std::atomic<std::uint32_t> completed_word_{0};  ///< Changes with completed_; what synchronize sleeps on.
  std::atomic<std::uint32_t> sleepers_{0};
};

}  // namespace gpuio::host
