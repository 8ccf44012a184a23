// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <queue>
#include <span>
#include <vector>

#include "base/mpsc_list.h"
#include "base/random.h"
#include "core/counters.h"
#include "core/memory/loans.h"
#include "core/request/admission.h"
#include "core/request/mover.h"
#include "core/request/planner.h"
#include "core/request/run_builder.h"
#include "core/request/run_state.h"
#include "core/spi/executor.h"

namespace gpuio::core {

struct SchedulerOptions {
  PlannerOptions planner;
  RunBuilder::Options builder;
  Admission::Options admission;
  std::uint64_t queue_depth_max = 1U << 20U;
  std::uint64_t progress_interval_ns = 100'000'000;
  std::uint32_t retry_max = 4;
  std::uint64_t retry_backoff_ns = 1'000'000;
};

/// From queued Requests to finished ones: admits them by class under the budgets, has them cut into runs, hands runs to
/// engines and the mover, and gathers what comes back. A state machine: everything but submission, cancellation and the
/// queue of finished runs happens inside `poll`, on the reactor.
class Scheduler final : public spi::Pollable, public RunSink {
 public:
  Scheduler(spi::Executor& executor, const SchedulerOptions& options, LoanBook& loans, Counters& counters);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Queues all or none; `would_block` when the queue is full. Any thread.
  [[nodiscard]] Status submit(std::span<RequestState* const> requests);

  /// Has the reactor end `request` early. Any thread.
  void cancel(RequestState& request);

  /// Cancels everything; returns when all is quiet. Not from the reactor.
  void drain();

  /// Whether a small read may go ahead of the queue, on its caller's thread.
  [[nodiscard]] bool queue_empty() const noexcept { return outstanding_.load(std::memory_order_relaxed) == 0; }
  [[nodiscard]] std::uint64_t outstanding() const noexcept { return outstanding_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool on_reactor() const noexcept;
  [[nodiscard]] std::uint64_t runs() const noexcept { return runs_started_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t coalesced() const noexcept { return coalesced_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t slab_waits() const noexcept { return slab_waits_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t quarantined_bytes() const noexcept {
    return quarantined_.load(std::memory_order_relaxed);
  }

  /// Reloadable. Any thread.
  [[nodiscard]] Admission& admission() noexcept { return admission_; }

  std::uint64_t poll(std::uint64_t now_ns) override;
  void finished(RunState& run) override;  ///< RunSink

 private:
  /// Unassisted, high, bulk, background; each with one of Requests that reach CXL memory, so that those held back by
  /// its bandwidth stand in nobody's way.
  static constexpr std::size_t kQueues = 8;
  using Deadline = std::pair<std::uint64_t, RequestPointer>;
  struct LaterFirst {
    bool operator()(const Deadline& a, const Deadline& b) const noexcept { return a.first > b.first; }
  };

  void take_incoming(std::uint64_t now);
  void accept(RequestPointer request, std::uint64_t now);
  void take_asked();
  void take_finished(std::uint64_t now);
  void start_gated();
  void start_delayed(std::uint64_t now);
  void expire(std::uint64_t now);
  void admit(std::uint64_t now);
  bool admit_one(std::size_t queue, std::uint64_t now);
  void fail_front(std::deque<RequestPointer>& queue, const Status& status);

  void start(RunState& run, std::uint64_t now);
  void start_engine(RunState& run);
  void start_mover(RunState& run);
  void engine_done(RunState& run, std::uint64_t now);
  void registering_done(RunState& run, std::uint64_t now);
  void take_list(RunState& run);
  void fall_back_to_slabs(RunState& run, std::uint64_t now);
  void take_slab(RunState& run, std::uint64_t now);
  void put_in_flight(RunState& run, std::uint64_t now);
  void take_out_of_flight(const RunState& run, std::uint64_t now);
  void moved(RunState& run, const Status& status, std::uint64_t now);
  bool retry(RunState& run, std::uint64_t now);
  void fail_segments(RunState& run);
  void fail_all(RunState& run, const Status& status);
  void complete(RunState& run, std::uint64_t now);
  void recycle(RunState& run);

  void quarantine(RunState& run);
  void abandon(RequestState& request);
  void report(RequestState& request, const Status& status, std::uint64_t now);
  void piece_ended(RequestState& request);
  void finish_if_ended(RequestState& request);
  void finish(RequestState& request, const Status& status);
  void flush_then_finish(RequestState& request);
  void flushed(RequestPointer request);  ///< From the pool.
  void prune_deadlines();
  void call_progress(std::uint64_t now);
  RunState& take_run();
  [[nodiscard]] std::uint64_t next_wake(std::uint64_t now);

  spi::Executor& executor_;
  SchedulerOptions options_;
  LoanBook& loans_;
  Counters& counters_;
  Admission admission_;
  Planner planner_;
  RunBuilder builder_;
  Mover mover_;
  base::Random random_;

  base::MpscList<RequestState> incoming_;
  base::MpscList<RunState> finished_;
  std::mutex asked_mutex_;
  std::vector<RequestPointer> cancelled_;  ///< Guarded, as flushed_.
  std::vector<RequestPointer> flushed_;
  std::atomic<bool> asked_pending_{false};  ///< Either of them has something.
  std::atomic<bool> cancel_all_{false};
  std::atomic<std::uint32_t> drained_{0};
  std::atomic<std::uint64_t> outstanding_{0};
  std::atomic<std::uint64_t> runs_started_{0};
  std::atomic<std::uint64_t> coalesced_{0};
  std::atomic<std::uint64_t> quarantined_{0};
  std::atomic<std::uint64_t> slab_waits_{0};

  std::array<std::deque<RequestPointer>, kQueues> queues_;
  std::size_t turn_ = 0;               ///< Which of a class's two queues goes first.
  std::vector<RequestPointer> gated_;  ///< Wait for work on their stream.
  std::priority_queue<Deadline, std::vector<Deadline>, LaterFirst> deadlines_;
  RequestState* live_ = nullptr;  ///< All that are not quiet yet; each holds a reference.
  std::vector<RunState*> delayed_;
  std::vector<RunState*> in_flight_;
  std::vector<std::unique_ptr<RunState>> all_runs_;
  std::vector<RunState*> free_runs_;
  std::uint64_t ended_ns_ = 0;  ///< When the run ended whose Requests are being finished; 0: ask the clock.
  std::uint64_t next_progress_ns_ = 0;
  std::uint64_t slab_retry_ns_ = spi::kNever;  ///< Set while a class waits for a slab.
};

}  // namespace gpuio::core
