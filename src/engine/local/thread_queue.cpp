// SPDX-License-Identifier: Apache-2.0
#include "engine/local/thread_queue.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <mutex>
#include <vector>

namespace gpuio::local {
namespace {

class ThreadQueue final : public spi::StorageQueue {
 public:
  ThreadQueue(spi::Executor& executor, spi::FileSystem& files, std::uint32_t depth)
      : executor_(executor), files_(files) {
    completed_.reserve(depth);
    for (std::uint32_t i = 0; i < depth; ++i) free_.push_back(&tasks_.emplace_back(*this));
  }

  std::string_view name() const noexcept override { return "threads"; }
  int wake_fd() const noexcept override { return -1; }

  std::size_t submit(std::span<const spi::StorageOperation> operations) override {
    const std::size_t taken = std::min(operations.size(), free_.size());
    for (const spi::StorageOperation& operation : operations.first(taken)) {
      OperationTask& task = *free_.back();
      free_.pop_back();
      task.operation = operation;
      task.busy = true;
      task.cancelled.store(false, std::memory_order_relaxed);
      executor_.post(task);
    }
    return taken;
  }

  std::size_t reap(std::span<spi::StorageResult> results) override {
    const std::lock_guard lock(mutex_);
    const std::size_t given = std::min(results.size(), completed_.size());
    for (std::size_t i = 0; i < given; ++i) {
      OperationTask& task = *completed_[i];
      results[i] = {task.operation.cookie, task.result};
      task.busy = false;
      free_.push_back(&task);
    }
    completed_.erase(completed_.begin(), completed_.begin() + static_cast<std::ptrdiff_t>(given));
    return given;
  }

  void cancel(std::uint64_t cookie) override {
    for (OperationTask& task : tasks_) {
      if (task.busy && task.operation.cookie == cookie) task.cancelled.store(true, std::memory_order_relaxed);
    }
  }

  void register_memory(std::byte* /*base*/, std::size_t /*bytes*/) override {}
  void unregister_memory(std::byte* /*base*/) override {}

 private:
  struct OperationTask final : spi::Task {
    explicit OperationTask(ThreadQueue& owner) : queue(owner) {}
    void run() override { queue.work(*this); }

    ThreadQueue& queue;
    spi::StorageOperation operation;
    std::int64_t result = 0;
    bool busy = false;  // the polling thread's
    std::atomic<bool> cancelled{false};
  };

  std::int64_t perform(const spi::StorageOperation& operation) {
    switch (operation.kind) {
      case spi::StorageOperation::Kind::read:
        return files_.read(operation.file, operation.offset, {operation.memory, operation.bytes}, false);
      case spi::StorageOperation::Kind::write:
        return files_.write(operation.file, operation.offset, {operation.memory, operation.bytes});
      case spi::StorageOperation::Kind::flush:
        return files_.flush(operation.file);
    }
    return -EINVAL;
  }

  void work(OperationTask& task) {
    task.result = task.cancelled.load(std::memory_order_relaxed) ? -ECANCELED : perform(task.operation);
    // Once listed, the task may be used again and the queue be gone.
    spi::Executor& executor = executor_;
    {
      const std::lock_guard lock(mutex_);
      completed_.push_back(&task);
    }
    executor.wake();
  }

  spi::Executor& executor_;
  spi::FileSystem& files_;
  std::deque<OperationTask> tasks_;
  std::vector<OperationTask*> free_;  // the polling thread's
  std::mutex mutex_;
  std::vector<OperationTask*> completed_;  // guarded by mutex_
};

}  // namespace

std::unique_ptr<spi::StorageQueue> make_thread_queue(spi::Executor& executor, spi::FileSystem& files,
                                                     std::uint32_t depth) {
  return std::make_unique<ThreadQueue>(executor, files, depth);
}

}  // namespace gpuio::local
