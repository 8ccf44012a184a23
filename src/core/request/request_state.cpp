// SPDX-License-Identifier: Apache-2.0
#include "core/request/request_state.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "core/request/scheduler.h"
#include "core/spi/executor.h"

namespace gpuio::core {
namespace {

/// Blocks that one thread keeps for its next Requests. Batches take and give dozens at once, which malloc does chunk by
/// chunk, and the last used are still in the core's cache.
struct SpareBlocks {
  struct Block {
    Block* next;
  };
  static constexpr unsigned kKept = 256;

  Block* first = nullptr;
  unsigned count = 0;
  bool closed = false;  ///< The thread ends.
};

/// Apart, so that reading it needs no check whether something is to be constructed.
thread_local constinit SpareBlocks spare_blocks{};

struct SpareBlocksEnd {
  ~SpareBlocksEnd() {
    spare_blocks.closed = true;
    while (SpareBlocks::Block* block = spare_blocks.first) {
      spare_blocks.first = block->next;
      ::operator delete(block);
    }
  }
};

void free_at_end_of_thread() {
  static thread_local const SpareBlocksEnd end;
  static_cast<void>(end);
}

}  // namespace

void* RequestState::operator new(std::size_t bytes) {
  SpareBlocks::Block* block = spare_blocks.first;
  if (block == nullptr) return ::operator new(bytes);
  spare_blocks.first = block->next;
  --spare_blocks.count;
  return block;
}

void RequestState::operator delete(void* block) noexcept {
  SpareBlocks& spare = spare_blocks;
  if (spare.closed || spare.count == SpareBlocks::kKept) return ::operator delete(block);
  if (spare.first == nullptr) free_at_end_of_thread();
  spare.first = ::new (block) SpareBlocks::Block{spare.first};
  ++spare.count;
}

RequestState::RequestState(spi::Executor& executor, Operation op, const TransferOptions& options)
    : operation(op),
      priority(options.priority),
      completion(options.completion),
      cache(options.cache),
      unassisted(options.unassisted),
      executor_(&executor) {}

void RequestState::drop_reference() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void RequestState::drop_handle() noexcept {
  if (handles_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (started() && !quiet() && !detached_.load(std::memory_order_relaxed)) cancel();
  drop_reference();
}

ResolvedTransfer& RequestState::add_transfer() {
  if (transfer_count++ == 0) return first_transfer;
  return more_transfers.emplace_back();
}

void RequestState::account(Path path, std::string_view way_name, std::string_view reason,
                           std::uint64_t bytes) noexcept {
  path_counts_.add(path, way_name, reason, bytes);
  done_bytes_.store(done_bytes_.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
}

void RequestState::add_failure(std::size_t transfer_index, Extent extent, Status status) {
  extent.offset -= transfer(transfer_index).extents_base;
  const std::lock_guard lock(mutex_);
  failures_.push_back({transfer_index, extent, std::move(status)});
  failed_.store(true, std::memory_order_release);
}

void RequestState::fail_rest(const Status& status) {
  for (; cut_transfer < transfer_count; ++cut_transfer) {
    const LayoutCursor rest = cut ? *cut : transfer(cut_transfer).cursor();
    add_failure(cut_transfer, rest.store_hull(rest.remaining_bytes()), status);
    cut.reset();
  }
  cut_done = true;
}

void RequestState::fail_transfer(std::size_t transfer_index, const Status& status) {
  const LayoutCursor all = transfer(transfer_index).cursor();
  add_failure(transfer_index, all.store_hull(all.remaining_bytes()), status);
}

void RequestState::check_memory() {
  for (std::size_t i = 0; i < transfer_count; ++i) {
    const ResolvedTransfer& resolved = transfer(i);
    for (const Region* const region : {resolved.region.get(), resolved.source.get()}) {
      if (region == nullptr) continue;
      if (const Status status = region->check(); !status.ok()) fail_transfer(i, status);
    }
  }
}

Status RequestState::outcome() const {
  if (!failed_.load(std::memory_order_acquire)) return {};
  const std::lock_guard lock(mutex_);
  Status first = failures_.front().status;
  if (failures_.size() > 1) first.with("other_failed_parts", failures_.size() - 1);
  return first;
}

void RequestState::report(const Status& status, std::uint64_t now_ns) {
  std::vector<std::function<void(const Status&)>> functions;
  reported_ns_.store(now_ns, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    status_ = status;
    functions.swap(complete_functions_);
    phase_.store(kReported, std::memory_order_release);
    if (event_fd_) {
      const std::uint64_t one = 1;
      // An eventfd takes the first write always; nobody else writes it.
      if (::write(event_fd_.get(), &one, sizeof one) < 0) std::abort();
    }
  }
  executor_->notify(phase_);
  call_progress();
  for (const auto& function : functions) function(status);
}

/// A Request that ended may be kept for its outcome; what it moved is free from now on. But for the last reference:
/// giving memory back may take the driver long, and is left to whoever drops the Request.
void RequestState::let_go_of_memory() noexcept {
  const auto let_go = [](std::shared_ptr<Region>& region) {
    if (region.use_count() > 1) region.reset();
  };
  let_go(first_transfer.region);
  let_go(first_transfer.source);
  for (ResolvedTransfer& transfer : more_transfers) {
    let_go(transfer.region);
    let_go(transfer.source);
  }
}

void RequestState::mark_quiet() {
  let_go_of_memory();
  quiet_.store(1, std::memory_order_release);
  executor_->notify(quiet_);
}

void RequestState::call_progress() {
  if (!wants_progress()) return;
  std::function<void(const Progress&)> function;
  {
    const std::lock_guard lock(mutex_);
    function = progress_function_;
  }
  if (function) function(progress());
}

Status RequestState::wait(std::uint64_t deadline) {
  if (!started()) return Status(Code::would_block, "this Request was not submitted: call Batch::submit first");
  while (!done()) {
    if (!executor_->wait(phase_, kRunning, deadline) && executor_->clock().now_ns() >= deadline && !done()) {
      return Status(Code::deadline_exceeded, "the wait's own timeout passed; the Request goes on").with_retryable(true);
    }
  }
  return status();
}

Status RequestState::status() const {
  if (!done()) return Status(Code::would_block, "still running").with_retryable(true);
  return status_;
}

std::vector<Failure> RequestState::failures() const {
  const std::lock_guard lock(mutex_);
  return failures_;
}

Progress RequestState::progress() const {
  Progress progress;
  progress.done_bytes = done_bytes_.load(std::memory_order_relaxed);
  progress.total_bytes = total_bytes;
  progress.finished = done();
  if (!started()) return progress;
  const std::uint64_t end =
      progress.finished ? reported_ns_.load(std::memory_order_relaxed) : executor_->clock().now_ns();
  progress.elapsed = Duration(end > submitted_ns ? end - submitted_ns : 0);
  if (progress.elapsed.count() > 0) {
    progress.bytes_per_second =
        static_cast<double>(progress.done_bytes) * 1e9 / static_cast<double>(progress.elapsed.count());
  }
  return progress;
}

void RequestState::on_progress(std::function<void(const Progress&)> function) {
  const std::lock_guard lock(mutex_);
  progress_function_ = std::move(function);
  wants_progress_.store(static_cast<bool>(progress_function_), std::memory_order_relaxed);
}

void RequestState::on_complete(std::function<void(const Status&)> function) {
  {
    const std::lock_guard lock(mutex_);
    if (!done()) {
      complete_functions_.push_back(std::move(function));
      return;
    }
  }
  function(status());
}

Result<int> RequestState::event_fd() {
  const std::lock_guard lock(mutex_);
  if (!event_fd_) {
    base::UniqueFd fd(::eventfd(done() ? 1 : 0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd) return Status::from_errno(errno, "no descriptor for Request::event_fd");
    event_fd_ = std::move(fd);
  }
  return event_fd_.get();
}

void RequestState::cancel() {
  if (!started() || quiet()) return;
  cancel_asked_.store(true, std::memory_order_relaxed);
  scheduler->cancel(*this);
  while (!quiet()) {
    if (scheduler->on_reactor()) return;  // inside a callback: the end comes after it returns
    executor_->wait(quiet_, 0, spi::kNever);
  }
}

std::string RequestState::explain() const {
  std::string text;
  for (const PathUse& use : paths()) {
    text += std::to_string(use.bytes) + " bytes: " + use.path + " (" + use.reason + ")\n";
  }
  const auto line = [&text](std::uint32_t count, std::string_view what) {
    if (count > 0) text += std::to_string(count) + " " + std::string(what) + "\n";
  };
  line(retries.load(std::memory_order_relaxed), "operations tried again");
  line(short_transfers.load(std::memory_order_relaxed), "short transfers continued");
  line(coalesced.load(std::memory_order_relaxed), "pieces travelled with a neighbour");
  if (done() && !quiet()) text += "not quiet: the device has not answered, its memory is still held\n";
  if (reached_in_place.load(std::memory_order_relaxed)) {
    text += "bytes move straight to their memory: after a deadline it stays held until the device answers\n";
  }
  return text;
}

}  // namespace gpuio::core

namespace gpuio {

Request::Request(const Request& other) noexcept : state_(other.state_) {
  if (state_ != nullptr) state_->add_handle();
}

Request::~Request() {
  if (state_ != nullptr) state_->drop_handle();
}

namespace {
Status empty_request() { return Status(Code::closed, "this Request is empty"); }
}  // namespace

bool Request::done() const noexcept { return state_ == nullptr || state_->done(); }
Status Request::wait() const { return state_ == nullptr ? empty_request() : state_->wait(spi::kNever); }

Status Request::wait(Duration timeout) const {
  if (state_ == nullptr) return empty_request();
  if (state_->done()) return state_->status();
  const std::uint64_t now = state_->executor().clock().now_ns();
  const auto span = static_cast<std::uint64_t>(std::max<Duration::rep>(timeout.count(), 0));
  return state_->wait(now + span < now ? spi::kNever : now + span);
}

Status Request::status() const { return state_ == nullptr ? empty_request() : state_->status(); }
std::vector<Failure> Request::failures() const {
  return state_ == nullptr ? std::vector<Failure>() : state_->failures();
}
Progress Request::progress() const { return state_ == nullptr ? Progress() : state_->progress(); }

void Request::on_progress(std::function<void(const Progress&)> function) const {
  if (state_ != nullptr) state_->on_progress(std::move(function));
}

void Request::on_complete(std::function<void(const Status&)> function) const {
  if (state_ == nullptr) return function(empty_request());
  state_->on_complete(std::move(function));
}

Result<int> Request::event_fd() const {
  if (state_ == nullptr) return empty_request();
  return state_->event_fd();
}

void Request::cancel() const {
  if (state_ != nullptr) state_->cancel();
}
bool Request::quiet() const noexcept { return state_ == nullptr || state_->quiet(); }
void Request::detach() const {
  if (state_ != nullptr) state_->detach();
}
std::vector<PathUse> Request::paths() const { return state_ == nullptr ? std::vector<PathUse>() : state_->paths(); }
std::string Request::explain() const { return state_ == nullptr ? std::string() : state_->explain(); }

}  // namespace gpuio
