// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/intrusive_list.h"
#include "core/spi/storage.h"
#include "engine/local/job.h"

namespace gpuio::local {

/// Moves runs by operations of the storage queue: cuts them, keeps a bounded number in flight, goes on after short
/// counts, tries again, reports. Reactor only.
class QueueMover {
 public:
  QueueMover(spi::StorageQueue& queue, std::uint32_t depth_max, std::uint32_t bytes_max);

  void start(spi::Run& run, StoreFile& file);
  /// Has operations in flight asked to end early; what was not submitted is dropped at the next poll.
  void cancel(Job& job);

  /// One turn; returns when it wants the next, as Pollable::poll.
  std::uint64_t poll(std::uint64_t now_ns);

  /// "io_uring direct": what failures and statistics call the ways of this queue.
  [[nodiscard]] std::string_view name(bool direct) const noexcept { return direct ? direct_name_ : buffered_name_; }
  [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }

 private:
  struct QueueJob final : Job, base::ListHook<> {
    bool flush_waits = false;
  };
  struct Slot {
    QueueJob* job = nullptr;  ///< Null while free.
    Piece piece;
    std::uint64_t ready_ns = 0;
    bool direct = false;
    bool submitted = false;
  };
  using SlotIndex = std::uint32_t;
  using JobList = base::IntrusiveList<QueueJob>;

  [[nodiscard]] bool reap(std::uint64_t now_ns);
  void complete(SlotIndex index, std::int64_t result, std::uint64_t now_ns);
  void go_on(SlotIndex index, Step step, std::int64_t result, std::uint64_t now_ns);
  void fail(SlotIndex index, Step step, std::int64_t result);
  void learn_rejection(Slot& slot);
  void finish_flush(QueueJob& job, std::int64_t result);
  void release(SlotIndex index);
  void let_go(QueueJob& job);

  void drop_cancelled(JobList& jobs, std::uint64_t now_ns);
  void drop(QueueJob& job, const Status& reason);
  void wake_delayed(std::uint64_t now_ns);
  void fill(std::uint64_t now_ns);
  void fill_from(JobList& jobs, std::uint64_t now_ns);
  [[nodiscard]] bool submit();
  [[nodiscard]] spi::StorageOperation operation_of(SlotIndex index) const;

  spi::StorageQueue& queue_;
  std::uint32_t bytes_max_;
  std::string direct_name_;
  std::string buffered_name_;
  JobPool<QueueJob> jobs_;
  JobList urgent_;  // with pieces left to cut
  JobList ordinary_;
  std::vector<Slot> slots_;
  std::vector<SlotIndex> free_;
  std::vector<SlotIndex> ready_;                   // to be submitted, in this order
  std::vector<SlotIndex> delayed_;                 // wait for their ready_ns
  std::vector<spi::StorageOperation> operations_;  // scratch
  std::size_t in_flight_ = 0;
  bool cancel_asked_ = false;
};

}  // namespace gpuio::local
