// SPDX-License-Identifier: Apache-2.0
#include "engine/local/queue_mover.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace gpuio::local {
namespace {

// So few results are taken before what follows them is submitted: a disk that waits for its whole queue's turn to end
// has nothing to do meanwhile. Fewer would cost more calls than they gain.
constexpr std::size_t kReapMax = 4;
constexpr unsigned kTurnsMax = 16;
constexpr std::uint32_t kAttemptsMax = 64;
constexpr std::uint64_t kBackoffMinNs = 50'000;
constexpr std::uint64_t kBackoffMaxNs = 10'000'000;
// For queues that have no descriptor and may not wake the executor either.
constexpr std::uint64_t kAskNs = 1'000'000;

// The jitter follows from slot and attempt, so that a simulated run replays.
std::uint64_t backoff_ns(std::uint32_t slot, std::uint32_t attempt) {
  const std::uint64_t base = std::min(kBackoffMinNs << std::min(attempt, 10U), kBackoffMaxNs);
  const std::uint64_t jitter = ((slot + 1) * 0x9e3779b97f4a7c15ULL + attempt * 0xbf58476d1ce4e5b9ULL) >> 33;
  return base / 2 + jitter % (base / 2);
}

}  // namespace

QueueMover::QueueMover(spi::StorageQueue& queue, std::uint32_t depth_max, std::uint32_t bytes_max)
    : queue_(queue),
      bytes_max_(std::max(bytes_max & ~(DirectAlignment::kPageBytes - 1), DirectAlignment::kPageBytes)),
      direct_name_(fmt::format("{} direct", queue.name())),
      buffered_name_(fmt::format("{} buffered", queue.name())),
      slots_(std::max(depth_max, 1U)) {
  for (auto index = static_cast<SlotIndex>(slots_.size()); index > 0; --index) free_.push_back(index - 1);
  for (auto* list : {&ready_, &delayed_}) list->reserve(slots_.size());
  operations_.reserve(slots_.size());
}

void QueueMover::start(spi::Run& run, StoreFile& file) {
  QueueJob& job = jobs_.take();
  job.begin(run, file);
  job.flush_waits = run.kind == spi::RunKind::flush;
  job.hold();  // the list's
  (run.urgent ? urgent_ : ordinary_).push_back(job);
}

void QueueMover::cancel(Job& job) {
  job.cancel();
  cancel_asked_ = true;
  for (SlotIndex index = 0; index < slots_.size(); ++index) {
    if (slots_[index].job == &job && slots_[index].submitted) queue_.cancel(index);
  }
}

std::uint64_t QueueMover::poll(std::uint64_t now_ns) {
  if (std::exchange(cancel_asked_, false)) {
    for (auto* jobs : {&urgent_, &ordinary_}) drop_cancelled(*jobs, now_ns);
  }
  bool progress = true;
  for (unsigned turn = 0; progress && turn < kTurnsMax; ++turn) {
    progress = reap(now_ns);
    wake_delayed(now_ns);
    fill(now_ns);
    progress |= submit();
  }
  if (progress) return now_ns;
  std::uint64_t next_ns = spi::kNever;
  for (const SlotIndex index : delayed_) next_ns = std::min(next_ns, slots_[index].ready_ns);
  const bool has_to_ask = in_flight_ != 0 && queue_.wake_fd() < 0;
  if (has_to_ask || !ready_.empty()) next_ns = std::min(next_ns, now_ns + kAskNs);
  return next_ns;
}

bool QueueMover::reap(std::uint64_t now_ns) {
  std::array<spi::StorageResult, kReapMax> results;
  const std::size_t count = queue_.reap(results);
  for (std::size_t i = 0; i < count; ++i) {
    complete(static_cast<SlotIndex>(results[i].cookie), results[i].result, now_ns);
  }
  return count != 0;
}

void QueueMover::complete(SlotIndex index, std::int64_t result, std::uint64_t now_ns) {
  Slot& slot = slots_[index];
  slot.submitted = false;
  --in_flight_;
  const spi::Run& run = slot.job->run();
  if (run.kind == spi::RunKind::flush && result != -EINTR && result != -EAGAIN) {
    finish_flush(*slot.job, result);
    return release(index);
  }
  const std::uint32_t alignment = slot.direct ? slot.job->file().alignment().offset() : 1;
  const Step step = advance(slot.piece, run.kind, result, std::max(alignment, 1U));
  if (step != Step::done) return go_on(index, step, result, now_ns);
  if (run.kind == spi::RunKind::write) slot.job->file().grow_to(slot.piece.offset + slot.piece.bytes);
  release(index);
}

void QueueMover::go_on(SlotIndex index, Step step, std::int64_t result, std::uint64_t now_ns) {
  Slot& slot = slots_[index];
  const bool rejected = step == Step::failed && result == -EINVAL && slot.direct;
  if (step == Step::end_of_file || (step == Step::failed && !rejected)) return fail(index, step, result);
  if (slot.job->stop_asked(now_ns)) {
    slot.job->fail(slot.piece.segment, slot.job->stopped(now_ns));
    return release(index);
  }
  if (step == Step::again) {
    slot.job->count_short();
    return ready_.push_back(index);
  }
  slot.job->count_retry();
  if (rejected) {
    learn_rejection(slot);
    return ready_.push_back(index);
  }
  if (step == Step::interrupted) return ready_.push_back(index);
  if (++slot.piece.attempts > kAttemptsMax) return fail(index, step, result);
  slot.ready_ns = now_ns + backoff_ns(index, slot.piece.attempts);
  delayed_.push_back(index);
}

void QueueMover::fail(SlotIndex index, Step step, std::int64_t result) {
  Slot& slot = slots_[index];
  Status status = result == -ECANCELED
                      ? Status(Code::cancelled, "cancelled on the way").with("store", slot.job->file().path())
                      : describe_failure(*slot.job, slot.piece, step, result, name(slot.direct));
  slot.job->fail(slot.piece.segment, std::move(status));
  release(index);
}

void QueueMover::learn_rejection(Slot& slot) {
  StoreFile& file = slot.job->file();
  const auto address = reinterpret_cast<std::uintptr_t>(slot.piece.rest().data());
  file.reject_direct(slot.piece.next_offset(), address, slot.piece.rest().size());
  slot.direct = false;
}

void QueueMover::finish_flush(QueueJob& job, std::int64_t result) {
  if (result >= 0) return;
  const Status cause = Status::from_errno(static_cast<int>(-result), "flush failed").with("store", job.file().path());
  if (result != -ECANCELED) job.file().poison(cause);
  job.fail(0, cause);
}

void QueueMover::release(SlotIndex index) {
  QueueJob& job = *slots_[index].job;
  slots_[index].job = nullptr;
  free_.push_back(index);
  let_go(job);
}

void QueueMover::let_go(QueueJob& job) {
  if (!job.let_go()) return;
  spi::Run& run = job.end();
  jobs_.give(job);
  run.finish();
}

void QueueMover::drop(QueueJob& job, const Status& reason) {
  if (std::exchange(job.flush_waits, false)) job.fail(0, reason);
  job.drop_rest(reason);
}

void QueueMover::drop_cancelled(JobList& jobs, std::uint64_t now_ns) {
  for (auto position = jobs.begin(); position != jobs.end();) {
    QueueJob& job = *position++;
    if (!job.stop_asked(now_ns)) continue;
    jobs.erase(job);
    drop(job, job.stopped(now_ns));
    let_go(job);
  }
}

void QueueMover::wake_delayed(std::uint64_t now_ns) {
  for (std::size_t i = 0; i < delayed_.size();) {
    const SlotIndex index = delayed_[i];
    const bool stop = slots_[index].job->stop_asked(now_ns);
    if (!stop && slots_[index].ready_ns > now_ns) {
      ++i;
      continue;
    }
    delayed_[i] = delayed_.back();
    delayed_.pop_back();
    if (!stop) {
      ready_.push_back(index);
      continue;
    }
    slots_[index].job->fail(slots_[index].piece.segment, slots_[index].job->stopped(now_ns));
    release(index);
  }
}

void QueueMover::fill(std::uint64_t now_ns) {
  fill_from(urgent_, now_ns);
  fill_from(ordinary_, now_ns);
}

void QueueMover::fill_from(JobList& jobs, std::uint64_t now_ns) {
  while (!jobs.empty()) {
    QueueJob& job = jobs.front();
    if (job.stop_asked(now_ns)) drop(job, job.stopped(now_ns));
    const bool direct = job.run().way == spi::Way::direct && job.file().alignment().usable();
    while (!free_.empty() && (job.flush_waits || !job.cursor().at_end())) {
      const SlotIndex index = free_.back();
      free_.pop_back();
      Slot& slot = slots_[index];
      slot = {&job, job.flush_waits ? Piece() : job.cursor().take(bytes_max_), 0, direct, false};
      job.flush_waits = false;
      job.hold();
      ready_.push_back(index);
    }
    if (job.flush_waits || !job.cursor().at_end()) return;
    jobs.pop_front();
    let_go(job);
  }
}

bool QueueMover::submit() {
  if (ready_.empty()) return false;
  operations_.clear();
  for (const SlotIndex index : ready_) operations_.push_back(operation_of(index));
  const std::size_t taken = queue_.submit(operations_);
  for (std::size_t i = 0; i < taken; ++i) slots_[ready_[i]].submitted = true;
  in_flight_ += taken;
  ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(taken));
  return taken != 0;
}

spi::StorageOperation QueueMover::operation_of(SlotIndex index) const {
  const Slot& slot = slots_[index];
  const StoreFile& file = slot.job->file();
  spi::StorageOperation operation;
  operation.cookie = index;
  operation.file = slot.direct ? file.direct() : file.buffered();
  if (slot.job->run().kind == spi::RunKind::flush) {
    operation.kind = spi::StorageOperation::Kind::flush;
    return operation;
  }
  operation.kind = slot.job->run().kind == spi::RunKind::write ? spi::StorageOperation::Kind::write
                                                               : spi::StorageOperation::Kind::read;
  operation.offset = slot.piece.next_offset();
  operation.memory = slot.piece.rest().data();
  operation.bytes = static_cast<std::uint32_t>(slot.piece.rest().size());
  return operation;
}

}  // namespace gpuio::local
