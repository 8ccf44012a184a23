// SPDX-License-Identifier: Apache-2.0
// The life of a run: engine, mover, retries, completion.
#include <algorithm>

#include "core/request/scheduler.h"

#include "base/planted_bug.h"

namespace gpuio::core {
namespace {

constexpr std::uint64_t kSlabRetryNs = 100'000;

/// Unmapping and unregistering take a millisecond: not on the reactor.
struct ReturnLoanTask final : spi::Task {
  explicit ReturnLoanTask(Lent returned) : lent(std::move(returned)) {}
  void run() override { delete this; }
  Lent lent;
};

Status with_place(Status status, const Extent& extent) {
  return std::move(status).with("offset", extent.offset).with("length", extent.length);
}

bool carries(const Piece& piece, std::uint32_t segment) {
  return segment >= piece.segment && segment - piece.segment < piece.segments;
}

/// What of the piece lies in `segment`, which carries some of it.
Extent part_in(const RunState& run, const Piece& piece, std::uint32_t segment) {
  if (run.span) return run.span->begin.store_hull(run.span->bytes);
  if (piece.segments == 1) return {piece.store_offset, piece.bytes};
  return {run.segment_list[segment].offset, run.segment_list[segment].bytes};
}

}  // namespace

RunState& Scheduler::take_run() {
  if (free_runs_.empty()) {
    all_runs_.push_back(std::make_unique<RunState>(*this));
    free_runs_.push_back(all_runs_.back().get());
  }
  RunState& run = *free_runs_.back();
  free_runs_.pop_back();
  run.pieces.clear();
  return run;
}

void Scheduler::put_in_flight(RunState& run, std::uint64_t now) {
  run.started_ns = now;
  run.in_flight_index = in_flight_.size();
  in_flight_.push_back(&run);
  admission_.started(run, now);
  planner_.run_started(run);
  runs_started_.fetch_add(1, std::memory_order_relaxed);
}

void Scheduler::take_out_of_flight(const RunState& run, std::uint64_t now) {
  admission_.ended(run, now);
  planner_.run_ended(run);
  in_flight_[run.in_flight_index] = in_flight_.back();
  in_flight_[run.in_flight_index]->in_flight_index = run.in_flight_index;
  in_flight_.pop_back();
}

void Scheduler::start(RunState& run, std::uint64_t now) {
  put_in_flight(run, now);
  switch (run.path.carriage) {
    case Carriage::lent_copy:
    case Carriage::kept_copy:
    case Carriage::lent_kernel:
    case Carriage::kept_kernel:
      run.stage = Stage::registering;
      run.loans = &loans_;
      executor_.post(run);
      break;
    case Carriage::device_copy:
    case Carriage::copy_kernel:
      start_mover(run);
      break;
    default:
      // What leaves the device through a slab does so first; everything else starts with the engine, or the pool.
      if (run.leaves_device && run.slab != nullptr) {
        start_mover(run);
      } else {
        start_engine(run);
      }
  }
}

void Scheduler::start_engine(RunState& run) {
  if (run.store == nullptr) {
    run.stage = Stage::copying;
    run.crew.start(*run.span, run, executor_);
    return;
  }
  run.stage = Stage::engine;
  run.store->start(run);
}

void Scheduler::start_mover(RunState& run) {
  if (Status status = mover_.start(run); !status.ok()) {
    fail_all(run, status);
    complete(run, executor_.clock().now_ns());
  }
}

void Scheduler::finished(RunState& run) {
  if (finished_.push(run)) executor_.wake();
}

void Scheduler::take_finished(std::uint64_t now) {
  for (RunState* run = finished_.take_all(); run != nullptr;) {
    RunState* following = run->next;
    if (run->stage == Stage::registering) {
      registering_done(*run, now);
    } else if (run->path.carriage == Carriage::pool_copy) {
      run->pieces.front().bytes = run->crew.moved_bytes();
      complete(*run, now);
    } else {
      engine_done(*run, now);
    }
    run = following;
  }
}

void Scheduler::engine_done(RunState& run, std::uint64_t now) {
  counters_.retries.fetch_add(run.retries, std::memory_order_relaxed);
  counters_.short_transfers.fetch_add(run.short_transfers, std::memory_order_relaxed);
  if (run.retries + run.short_transfers > 0) {
    for (const Piece& piece : run.pieces) {
      if (piece.request == nullptr) continue;
      piece.request->retries.fetch_add(run.retries, std::memory_order_relaxed);
      piece.request->short_transfers.fetch_add(run.short_transfers, std::memory_order_relaxed);
      break;
    }
  }
  run.retries = run.short_transfers = 0;
  if (!run.failures.empty() && retry(run, now)) return;
  fail_segments(run);
  const bool any_left = std::any_of(run.pieces.begin(), run.pieces.end(), [](const Piece& p) { return p.request; });
  if (run.slab != nullptr && !run.leaves_device && any_left) {
    start_mover(run);
  } else {
    complete(run, now);
  }
}

bool Scheduler::retry(RunState& run, std::uint64_t now) {
  const bool all_may_pass = std::all_of(run.failures.begin(), run.failures.end(),
                                        [](const spi::SegmentFailure& failure) { return failure.status.retryable(); });
  if (!all_may_pass || base::planted_bug("nothing_is_retried") || run.attempt >= options_.retry_max ||
      run.deadline_ns <= now)
    return false;
  const std::uint64_t backoff = options_.retry_backoff_ns << std::min<std::uint32_t>(run.attempt, 10);
  ++run.attempt;
  counters_.retries.fetch_add(1, std::memory_order_relaxed);
  run.failures.clear();
  run.stage = Stage::delayed;
  run.retry_at_ns = now + backoff / 2 + random_.uniform(backoff + 1);
  delayed_.push_back(&run);
  return true;
}

void Scheduler::start_delayed(std::uint64_t now) {
  for (std::size_t i = 0; i < delayed_.size();) {
    RunState* run = delayed_[i];
    if (run->retry_at_ns > now) {
      ++i;
      continue;
    }
    delayed_[i] = delayed_.back();
    delayed_.pop_back();
    const bool wanted = std::any_of(run->pieces.begin(), run->pieces.end(),
                                    [](const Piece& p) { return p.request != nullptr && !p.request->abandoned; });
    if (!wanted) {
      fail_all(*run, Status(Code::cancelled, "given up before its next attempt"));
      complete(*run, now);
    } else if (run->path.carriage == Carriage::slab_copy && run->slab == nullptr) {
      take_slab(*run, now);
    } else {
      start_engine(*run);
    }
  }
}

void Scheduler::registering_done(RunState& run, std::uint64_t now) {
  planner_.registering_ended(run);
  if (!run.lend_status.ok()) return fall_back_to_slabs(run, now);
  const bool by_kernel = run.path.carriage == Carriage::lent_kernel;
  if (run.lent.reused()) run.path.carriage = by_kernel ? Carriage::kept_kernel : Carriage::kept_copy;
  if (by_kernel) take_list(run);
  // The driver's interface takes sources as const; a Piece serves both directions.
  run.pieces.front().host = const_cast<std::byte*>(run.lent.address());
  start_mover(run);
}

/// Without memory for the kernel's list the copy engine does it.
void Scheduler::take_list(RunState& run) {
  run.ring = &run.device->ring(Lane::bulk);
  run.list = run.ring->acquire(SlabClass::small, run.urgent);
  if (run.list != nullptr) return;
  run.path.carriage = run.path.carriage == Carriage::kept_kernel ? Carriage::kept_copy : Carriage::lent_copy;
}

/// What was to be lent in one piece goes through slabs in several: a run for each slab.
void Scheduler::fall_back_to_slabs(RunState& run, std::uint64_t now) {
  run.path.carriage = Carriage::slab_copy;
  run.reason = run.lend_status.code() == Code::would_block ? "the budget for registered pages was in use"
                                                           : "the pages could not be registered";
  take_out_of_flight(run, now);
  run.chosen = Carriage::slab_copy;
  run.medium = {};
  // All of them before any begins: one that fails at once must not end the Request, or be taken for another part.
  std::vector<RunState*> parts{&run};
  const Piece whole = run.pieces.front();
  const std::uint64_t slab_bytes = run.device->ring(Lane::bulk).slab_bytes();
  for (std::uint64_t done = slab_bytes; done < whole.bytes; done += slab_bytes) {
    parts.push_back(&take_run());
    parts.back()->reset_as(run);
    ++whole.request->pieces_outstanding;
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::uint64_t done = i * slab_bytes;
    const std::uint64_t offset = whole.store_offset + done;
    const auto bytes = static_cast<std::uint32_t>(std::min(slab_bytes, whole.bytes - done));
    parts[i]->pieces.assign(1, {whole.request, whole.transfer, offset, bytes, nullptr, whole.memory + done, 0});
    parts[i]->segment_list.assign(1, {offset, nullptr, bytes, bytes});
    parts[i]->bytes = parts[i]->storage_bytes = bytes;
    put_in_flight(*parts[i], now);
  }
  for (RunState* part : parts) take_slab(*part, now);
}

void Scheduler::take_slab(RunState& run, std::uint64_t now) {
  SlabRing& ring = run.device->ring(Lane::bulk);
  run.slab = ring.acquire(SlabClass::big, run.urgent, run.bytes);
  if (run.slab == nullptr) {
    if (Status status = ring.status(SlabClass::big); !status.ok()) {
      fail_all(run, status);
      complete(run, now);
      return;
    }
    run.stage = Stage::delayed;
    run.retry_at_ns = now + kSlabRetryNs;
    delayed_.push_back(&run);
    return;
  }
  run.ring = &ring;
  run.pieces.front().host = run.slab->memory;
  run.segment_list.front().memory = run.slab->memory;
  run.segments = run.segment_list;
  start_engine(run);
}

void Scheduler::moved(RunState& run, const Status& status, std::uint64_t now) {
  if (!status.ok()) {
    fail_all(run, status);
    complete(run, now);
    return;
  }
  if (run.leaves_device && run.slab != nullptr) {
    start_engine(run);
    return;
  }
  if (run.lent) {
    const Piece& piece = run.pieces.front();
    if (Status lent = run.store->check_lent(piece.store_offset, piece.bytes); !lent.ok()) fail_all(run, lent);
  }
  complete(run, now);
}

void Scheduler::fail_segments(RunState& run) {
  if (run.failures.empty() || base::planted_bug("failed_parts_count_as_done")) return;
  for (const spi::SegmentFailure& failure : run.failures) {
    for (Piece& piece : run.pieces) {
      if (piece.request == nullptr || !carries(piece, failure.segment)) continue;
      RequestState& request = *piece.request;
      const Extent lost = part_in(run, piece, failure.segment);
      if (lost.length == 0) continue;  // said before
      if (piece.segments > 1) run.segment_list[failure.segment].bytes = 0;
      request.add_failure(piece.transfer, lost, failure.status);
      piece.bytes -= lost.length;
      if (piece.bytes != 0) continue;
      piece.request = nullptr;
      piece_ended(request);
    }
  }
}

void Scheduler::fail_all(RunState& run, const Status& status) {
  for (Piece& piece : run.pieces) {
    if (piece.request == nullptr) continue;
    RequestState& request = *piece.request;
    piece.request = nullptr;
    for (std::uint32_t i = 0; i < piece.segments; ++i) {
      const Extent lost = part_in(run, piece, piece.segment + i);
      request.add_failure(piece.transfer, lost, with_place(status, lost));
    }
    piece_ended(request);
  }
}

void Scheduler::quarantine(RunState& run) {
  if (run.quarantined) return;
  run.quarantined = true;
  run.ring->quarantine(run.slab);
  quarantined_.fetch_add(run.slab->bytes, std::memory_order_relaxed);
}

void Scheduler::complete(RunState& run, std::uint64_t now) {
  take_out_of_flight(run, now);
  if (run.list != nullptr) run.ring->release(std::exchange(run.list, nullptr));
  if (run.slab != nullptr) {
    if (run.quarantined) quarantined_.fetch_sub(run.slab->bytes, std::memory_order_relaxed);
    run.ring->release(run.slab);
    run.slab = nullptr;
  }
  if (run.lent) executor_.post(*new ReturnLoanTask(std::exchange(run.lent, Lent())));
  // One look at the clock for all that end with this run.
  ended_ns_ = executor_.clock().now_ns();
  for (Piece& piece : run.pieces) {
    if (piece.request == nullptr) continue;
    RequestState& request = *piece.request;
    piece.request = nullptr;
    if (piece.bytes != 0) request.account(run.path, run.way_name, run.reason, piece.bytes);
    piece_ended(request);
  }
  ended_ns_ = 0;
  run.store_state.reset();
  free_runs_.push_back(&run);
}

}  // namespace gpuio::core
