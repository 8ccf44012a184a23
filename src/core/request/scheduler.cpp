// SPDX-License-Identifier: Apache-2.0
#include "core/request/scheduler.h"

#include <algorithm>
#include <utility>

#include "base/planted_bug.h"
#include "base/try.h"

namespace gpuio::core {
namespace {

/// How often events of copies under way, and slabs that others may have released, are looked at.
constexpr std::uint64_t kDevicePollNs = 20'000;
constexpr std::uint64_t kSlabPollNs = 200'000;

constexpr std::size_t kDeadlinesKept = 1024;

/// Unassisted Requests have a queue of their own: what stands before them in another may wait for what is held until
/// kernels have run, and those for the unassisted ones.
std::size_t class_of(const RequestState& request) {
  if (base::planted_bug("priorities_are_ignored")) return 3;
  return request.unassisted ? 0 : 3 - static_cast<std::size_t>(request.priority);
}
std::size_t queue_of(const RequestState& request) { return 2 * class_of(request) + (request.cxl ? 1 : 0); }
bool reaches_cxl(std::size_t queue) { return queue % 2 == 1; }
Priority priority_of(std::size_t queue) { return queue < 2 ? Priority::high : static_cast<Priority>(3 - queue / 2); }

}  // namespace

Scheduler::Scheduler(spi::Executor& executor, const SchedulerOptions& options, LoanBook& loans, Counters& counters)
    : executor_(executor),
      options_(options),
      loans_(loans),
      counters_(counters),
      admission_(options.admission),
      planner_(options.planner, loans, executor_.clock()),
      builder_(options.builder, planner_),
      random_(executor_.clock().now_ns()) {
  executor_.attach(*this);
}

Scheduler::~Scheduler() { executor_.detach(*this); }

bool Scheduler::on_reactor() const noexcept { return executor_.is_reactor_thread(); }

Status Scheduler::submit(std::span<RequestState* const> requests) {
  const std::uint64_t before = outstanding_.fetch_add(requests.size(), std::memory_order_relaxed);
  if (before + requests.size() > options_.queue_depth_max) {
    outstanding_.fetch_sub(requests.size(), std::memory_order_relaxed);
    return Status(Code::would_block, "the queue is full: wait for a Request, or raise scheduler.queue_depth_max")
        .with("outstanding", before)
        .with_retryable(true);
  }
  const std::uint64_t now = executor_.clock().now_ns();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    RequestState& request = *requests[i];
    request.scheduler = this;
    request.submitted_ns = now;
    request.mark_started();
    request.add_reference();
    request.next = i + 1 < requests.size() ? requests[i + 1] : nullptr;
  }
  if (incoming_.push_chain(*requests.front(), *requests.back())) executor_.wake();
  return {};
}

void Scheduler::cancel(RequestState& request) {
  {
    const std::lock_guard lock(asked_mutex_);
    cancelled_.emplace_back(&request);
  }
  asked_pending_.store(true, std::memory_order_release);
  executor_.wake();
}

void Scheduler::drain() {
  cancel_all_.store(true, std::memory_order_release);
  while (outstanding() != 0) {
    executor_.wake();
    const std::uint32_t seen = drained_.load(std::memory_order_acquire);
    if (outstanding() != 0) executor_.wait(drained_, seen, executor_.clock().now_ns() + options_.progress_interval_ns);
  }
}

std::uint64_t Scheduler::poll(std::uint64_t now) {
  planner_.forget();
  take_incoming(now);
  take_asked();
  take_finished(now);
  if (!mover_.idle()) {
    mover_.poll([this, now](RunState& run, const Status& status) { moved(run, status, now); });
  }
  start_gated();
  start_delayed(now);
  expire(now);
  admit(now);
  call_progress(now);
  return next_wake(now);
}

void Scheduler::take_incoming(std::uint64_t now) {
  for (RequestState* request = incoming_.take_all(); request != nullptr;) {
    RequestState* following = request->next;
    accept(RequestPointer::adopt(request), now);
    request = following;
  }
}

void Scheduler::accept(RequestPointer request, std::uint64_t now) {
  request->add_reference();  // the live list's, dropped in finish
  request->live_after = live_;
  if (live_ != nullptr) live_->live_before = request.get();
  live_ = request.get();
  request->cut.emplace(request->first_transfer.cursor());
  if (request->priority == Priority::high) admission_.high_priority_seen(now);
  if (request->deadline_ns != spi::kNever) {
    deadlines_.emplace(request->deadline_ns, request);
    prune_deadlines();
  }
  if (request->start_after != nullptr) {
    gated_.push_back(std::move(request));
  } else {
    auto& queue = queues_[queue_of(*request)];
    queue.push_back(std::move(request));
  }
}

void Scheduler::take_asked() {
  if (cancel_all_.load(std::memory_order_acquire)) {
    for (RequestState* request = live_; request != nullptr;) {
      RequestState* following = request->live_after;
      abandon(*request);
      request = following;
    }
  }
  if (!asked_pending_.exchange(false, std::memory_order_acquire)) return;
  std::vector<RequestPointer> cancelled;
  std::vector<RequestPointer> flushed;
  {
    const std::lock_guard lock(asked_mutex_);
    cancelled.swap(cancelled_);
    flushed.swap(flushed_);
  }
  for (const RequestPointer& request : flushed) finish(*request, request->outcome());
  for (const RequestPointer& request : cancelled) {
    if (!request->quiet()) abandon(*request);
  }
}

void Scheduler::start_gated() {
  for (std::size_t i = 0; i < gated_.size();) {
    RequestState& request = *gated_[i];
    Result<bool> finished = request.stream_device->device().finished(request.start_after);
    const bool pending = finished && !*finished && !base::planted_bug("stream_order_is_ignored");
    if (pending && !request.cut_done) {
      ++i;
      continue;
    }
    request.stream_device->give_event(std::exchange(request.start_after, nullptr));
    RequestPointer pointer = std::move(gated_[i]);
    gated_[i] = std::move(gated_.back());
    gated_.pop_back();
    if (!finished) {
      request.fail_rest(finished.error());
    }
    if (request.cut_done) {
      finish_if_ended(request);
    } else {
      queues_[queue_of(request)].push_back(std::move(pointer));
    }
  }
}

void Scheduler::expire(std::uint64_t now) {
  while (!deadlines_.empty() && deadlines_.top().first <= now) {
    const RequestPointer request = deadlines_.top().second;
    deadlines_.pop();
    if (request->done() || request->quiet()) continue;
    const Status status = Status(Code::deadline_exceeded, "the storage or the device did not answer in time")
                              .with("done_bytes", request->progress().done_bytes)
                              .with("total_bytes", request->total_bytes)
                              .with_effect(request->operation == Operation::read ? Effect::none : Effect::unknown)
                              .with_retryable(true);
    report(*request, status, executor_.clock().now_ns());
    abandon(*request);
  }
}

void Scheduler::prune_deadlines() {
  // Entries of Requests that ended long before their deadline would hold their memory until then.
  if (deadlines_.size() < 2 * outstanding() + kDeadlinesKept) return;
  std::vector<Deadline> kept;
  for (; !deadlines_.empty(); deadlines_.pop()) {
    if (!deadlines_.top().second->quiet()) kept.push_back(deadlines_.top());
  }
  deadlines_ = decltype(deadlines_)(LaterFirst(), std::move(kept));
}

void Scheduler::admit(std::uint64_t now) {
  slab_retry_ns_ = spi::kNever;
  ++turn_;
  for (std::size_t i = 0; i < kQueues; ++i) {
    const std::size_t queue = i ^ (turn_ % 2);
    while (!queues_[queue].empty() && admission_.open(priority_of(queue), reaches_cxl(queue), now)) {
      if (!admit_one(queue, now)) break;
    }
  }
}

bool Scheduler::admit_one(std::size_t queue, std::uint64_t now) {
  RunState& run = take_run();
  const RunBuilder::Outcome outcome =
      builder_.build(run, queues_[queue], admission_.storage_run_bytes_max(now),
                     admission_.span_run_bytes_max(priority_of(queue), reaches_cxl(queue)));
  coalesced_.store(builder_.coalesced(), std::memory_order_relaxed);
  bool go_on = true;
  switch (outcome) {
    case RunBuilder::Outcome::built:
      start(run, now);
      break;
    case RunBuilder::Outcome::blocked:
      slab_retry_ns_ = now + kSlabPollNs;
      slab_waits_.fetch_add(1, std::memory_order_relaxed);
      go_on = false;
      break;
    case RunBuilder::Outcome::failed:
      fail_front(queues_[queue], builder_.failure());
      break;
    case RunBuilder::Outcome::exhausted:
      break;
  }
  if (outcome != RunBuilder::Outcome::built) free_runs_.push_back(&run);
  for (const RequestPointer& request : builder_.cut_to_end()) finish_if_ended(*request);
  return go_on;
}

void Scheduler::fail_front(std::deque<RequestPointer>& queue, const Status& status) {
  const RequestPointer request = std::move(queue.front());
  queue.pop_front();
  request->fail_rest(status);
  finish_if_ended(*request);
}

void Scheduler::abandon(RequestState& request) {
  request.cut_done = true;
  request.abandoned = true;
  auto& queue = queues_[queue_of(request)];
  std::erase_if(queue, [&request](const RequestPointer& queued) { return queued.get() == &request; });
  for (RunState* run : in_flight_) {
    bool others = false;
    for (Piece& piece : run->pieces) {
      if (piece.request != &request) {
        others = others || piece.request != nullptr;
        continue;
      }
      // Bytes still on their way into a slab never reach the Request's memory once they are disowned here.
      const bool behind_slab =
          run->slab != nullptr && run->operation == Operation::read && run->stage != Stage::copying;
      const bool copied_out =
          run->slab != nullptr && run->operation == Operation::write && run->stage != Stage::copying;
      if ((!behind_slab && !copied_out) || base::planted_bug("late_bytes_are_delivered")) continue;
      piece.request = nullptr;
      --request.pieces_outstanding;
      quarantine(*run);
    }
    if (others) continue;
    if (run->stage == Stage::engine) run->store->cancel(*run);
    if (run->path.carriage == Carriage::pool_copy) run->crew.give_up();
  }
  finish_if_ended(request);
}

void Scheduler::piece_ended(RequestState& request) {
  --request.pieces_outstanding;
  finish_if_ended(request);
}

void Scheduler::finish_if_ended(RequestState& request) {
  if (!request.cut_done || request.pieces_outstanding != 0 || request.ending || request.start_after != nullptr) return;
  request.ending = true;
  request.check_memory();
  Status status = request.outcome();
  if (request.abandoned && !request.reported && request.progress().done_bytes < request.total_bytes) {
    status = Status(Code::cancelled, "cancelled").with("done_bytes", request.progress().done_bytes);
  }
  const bool durable = request.completion == Completion::durable && !base::planted_bug("durable_without_a_flush");
  if (status.ok() && durable && request.operation == Operation::write && !request.reported) {
    flush_then_finish(request);
  } else {
    finish(request, status);
  }
}

void Scheduler::finish(RequestState& request, const Status& status) {
  (request.live_before != nullptr ? request.live_before->live_after : live_) = request.live_after;
  if (request.live_after != nullptr) request.live_after->live_before = request.live_before;
  const RequestPointer last = RequestPointer::adopt(&request);  // the live list's reference
  if (request.gate) request.stream_device->gates().open(*request.gate);
  // Before anybody hears of it, who may ask how many are left.
  outstanding_.fetch_sub(1, std::memory_order_relaxed);
  request.mark_quiet();
  if (!request.reported) {
    report(request, status, ended_ns_ != 0 ? ended_ns_ : executor_.clock().now_ns());
  }
  if (cancel_all_.load(std::memory_order_relaxed)) {
    drained_.fetch_add(1, std::memory_order_release);
    executor_.notify(drained_);
  }
}

void Scheduler::report(RequestState& request, const Status& status, std::uint64_t now) {
  request.reported = true;
  const ResolvedTransfer& transfer = request.first_transfer;
  // Who cancels has what he asked for; what was moved until then was moved.
  const bool failed = !status.ok() && status.code() != Code::cancelled;
  const std::uint64_t bytes = status.ok() ? request.total_bytes : request.progress().done_bytes;
  counters_.record(static_cast<CountedOperation>(request.operation), transfer.store ? transfer.store->tier_id() : 0,
                   transfer.device->statistics_id(), bytes, now - request.submitted_ns, failed);
  request.report(status, now);
}

void Scheduler::flush_then_finish(RequestState& request) {
  /// Flushing blocks for milliseconds, so a pool task does it.
  struct FlushTask final : spi::Task {
    FlushTask(Scheduler& owner, RequestState& flushed) : scheduler(owner), request(&flushed) {}
    void run() override {
      for (std::size_t i = 0; i < request->transfer_count; ++i) {
        const ResolvedTransfer& transfer = request->transfer(i);
        if (Status status = transfer.store->store().flush(); !status.ok()) {
          request->fail_transfer(i, status);
          break;
        }
      }
      scheduler.flushed(std::move(request));
      delete this;
    }
    Scheduler& scheduler;
    RequestPointer request;
  };
  executor_.post(*new FlushTask(*this, request));
}

void Scheduler::flushed(RequestPointer request) {
  {
    const std::lock_guard lock(asked_mutex_);
    flushed_.push_back(std::move(request));
  }
  asked_pending_.store(true, std::memory_order_release);
  executor_.wake();
}

void Scheduler::call_progress(std::uint64_t now) {
  if (now < next_progress_ns_) return;
  next_progress_ns_ = now + options_.progress_interval_ns / 2;
  std::vector<RequestPointer> watched;
  for (RequestState* request = live_; request != nullptr; request = request->live_after) {
    if (request->wants_progress() && !request->reported) watched.emplace_back(request);
  }
  for (const RequestPointer& request : watched) request->call_progress();
}

std::uint64_t Scheduler::next_wake(std::uint64_t now) {
  if (!incoming_.empty() || !finished_.empty()) return now;
  std::uint64_t wake = live_ != nullptr ? next_progress_ns_ : spi::kNever;
  if (!mover_.idle() || !gated_.empty()) wake = std::min(wake, now + kDevicePollNs);
  if (!deadlines_.empty()) wake = std::min(wake, std::max(deadlines_.top().first, now));
  for (const RunState* run : delayed_) wake = std::min(wake, run->retry_at_ns);
  for (std::size_t queue = 0; queue < kQueues; ++queue) {
    if (queues_[queue].empty()) continue;
    const std::uint64_t ready = admission_.ready_at(priority_of(queue), reaches_cxl(queue), now);
    if (ready > now) wake = std::min(wake, ready);
  }
  return std::min(wake, slab_retry_ns_);
}

}  // namespace gpuio::core
