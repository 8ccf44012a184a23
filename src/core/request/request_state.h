// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "core/copy/host_fill.h"
#include "core/device_state.h"
#include "core/layout/layout_cursor.h"
#include "core/memory/region.h"
#include "core/request/path_counts.h"
#include "core/store_state.h"
#include "gpuio/request.hpp"

namespace gpuio::core {

class Scheduler;

enum class Operation : std::uint8_t { read, write, copy, fill };

/// Without a store: between Regions, or into one.
constexpr bool has_no_store(Operation operation) noexcept { return operation >= Operation::copy; }

/// A Transfer after its checks: everything it needs is held.
struct ResolvedTransfer {
  std::shared_ptr<StoreState> store;  ///< Null for copies between Regions.
  std::shared_ptr<Region> region;
  DeviceState* device = nullptr;  ///< Of the Region.
  bool host_reachable = false;    ///< Engines may move bytes to and from it without a slab.
  std::byte* memory = nullptr;    ///< Where the Slice starts.
  Layout extents;                 ///< In the store; of copies, in the source.
  Layout placement;
  std::uint64_t bytes = 0;
  std::uint64_t extents_base = 0;  ///< Where `extents` counts from: not 0 for host memory that serves as a store.

  [[nodiscard]] LayoutCursor cursor() const noexcept { return {extents, placement, bytes, extents_base}; }

  bool cxl = false;  ///< One of its sides lies in CXL memory.

  std::shared_ptr<Region> source;  ///< Copies: the Region read from.
  const std::byte* source_memory = nullptr;
  Carriage carriage = Carriage::in_place;  ///< Of copies and fills: chosen on the way in, with the reason.
  std::string_view reason;
  bool plain = false;  ///< One of a copy's sides is host memory that neither copy engine nor kernels reach.
};

/// One Request: what was asked, how far it is, and how it went.
///
/// Counted twice: `references` keep the object, `handles` are the user's; when the last handle goes, a running Request
/// is cancelled. Members under "reactor" are touched by the reactor alone, so the data path takes no lock.
class RequestState {
 public:
  /// `executor` outlives the Request's running: its Context drains before it goes.
  RequestState(spi::Executor& executor, Operation operation, const TransferOptions& options);
  RequestState(const RequestState&) = delete;
  RequestState& operator=(const RequestState&) = delete;

  /// Blocks of Requests that ended serve the next ones of the same thread.
  static void* operator new(std::size_t bytes);
  static void operator delete(void* block) noexcept;

  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() noexcept;
  void add_handle() noexcept { handles_.fetch_add(1, std::memory_order_relaxed); }
  void drop_handle() noexcept;

  // ---- what was asked; fixed before submission
  Operation operation;
  Priority priority;
  Completion completion;
  CacheUse cache;
  bool unassisted;
  bool cxl = false;                              ///< Some of its bytes lie in CXL memory: its own bandwidth limit.
  std::vector<ResolvedTransfer> more_transfers;  ///< All but the first: most Requests have one.
  ResolvedTransfer first_transfer;
  std::size_t transfer_count = 0;
  std::shared_ptr<StreamState> stream;  ///< The caller's, where one was given, and its device.
  DeviceState* stream_device = nullptr;
  std::uint64_t total_bytes = 0;
  FillPattern pattern;  ///< Of fills.
  std::uint64_t submitted_ns = 0;
  std::uint64_t deadline_ns = spi::kNever;
  spi::EventHandle start_after = nullptr;  ///< Recorded on the caller's stream.
  std::optional<StreamGate> gate;          ///< What the caller's stream waits for.
  Scheduler* scheduler = nullptr;

  [[nodiscard]] const ResolvedTransfer& transfer(std::size_t index) const noexcept {
    return index == 0 ? first_transfer : more_transfers[index - 1];
  }
  ResolvedTransfer& add_transfer();
  [[nodiscard]] Lane lane() const noexcept {
    if (unassisted) return Lane::unassisted;
    return priority == Priority::high ? Lane::urgent : Lane::bulk;
  }

  // ---- reactor
  std::size_t cut_transfer = 0;     ///< The transfer being cut.
  std::optional<LayoutCursor> cut;  ///< Where in it.
  std::uint64_t pieces_outstanding = 0;
  bool cut_done = false;
  bool reported = false;
  bool abandoned = false;               ///< Cancelled or expired: what is not begun never begins.
  bool ending = false;                  ///< Every piece is accounted for; being flushed or done.
  RequestState* next = nullptr;         ///< In the scheduler's incoming queue.
  RequestState* live_before = nullptr;  ///< In the scheduler's list of live Requests.
  RequestState* live_after = nullptr;

  // ---- any thread
  [[nodiscard]] bool done() const noexcept { return phase_.load(std::memory_order_acquire) != kRunning; }
  [[nodiscard]] bool quiet() const noexcept { return quiet_.load(std::memory_order_acquire) != 0; }
  [[nodiscard]] bool cancel_asked() const noexcept { return cancel_asked_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool started() const noexcept { return started_.load(std::memory_order_relaxed); }
  void mark_started() noexcept { started_.store(true, std::memory_order_relaxed); }

  /// One thread at a time.
  void account(Path path, std::string_view way_name, std::string_view reason, std::uint64_t bytes) noexcept;
  void add_failure(std::size_t transfer_index, Extent extent, Status status);
  /// What is not cut yet fails: of each transfer one part, the extent from its first byte to its last. Reactor.
  void fail_rest(const Status& status);
  /// As add_failure for all of a transfer.
  void fail_transfer(std::size_t transfer_index, const Status& status);

  /// Transfers fail whose memory lost its bytes meanwhile, as a mapped store's that was cut: what was there were zeros.
  void check_memory();

  /// Sets the outcome and tells everybody: waiters, descriptor, callbacks. Once.
  void report(const Status& status, std::uint64_t now_ns);
  /// No byte of its memory can move any more: it lets go of it.
  void mark_quiet();
  void call_progress();
  [[nodiscard]] bool wants_progress() const noexcept { return wants_progress_.load(std::memory_order_relaxed); }

  /// Its own failures' outcome: ok, or the first.
  [[nodiscard]] Status outcome() const;

  // ---- what the public class does
  Status wait(std::uint64_t deadline_ns);
  [[nodiscard]] Status status() const;
  [[nodiscard]] std::vector<Failure> failures() const;
  [[nodiscard]] Progress progress() const;
  void on_progress(std::function<void(const Progress&)> function);
  void on_complete(std::function<void(const Status&)> function);
  Result<int> event_fd();
  void cancel();
  void detach() noexcept { detached_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] std::vector<PathUse> paths() const { return path_counts_.read(); }
  [[nodiscard]] std::string explain() const;
  [[nodiscard]] spi::Executor& executor() const noexcept { return *executor_; }

  std::atomic<std::uint32_t> retries{0};
  std::atomic<std::uint32_t> short_transfers{0};
  std::atomic<std::uint32_t> coalesced{0};
  std::atomic<bool> reached_in_place{false};  ///< Bytes went straight to or from its memory: not quiet until they stop.

 private:
  static constexpr std::uint32_t kRunning = 0;
  static constexpr std::uint32_t kReported = 1;

  ~RequestState() = default;

  void let_go_of_memory() noexcept;

  spi::Executor* executor_;
  std::atomic<std::uint32_t> references_{1};
  std::atomic<std::uint32_t> handles_{0};
  std::atomic<std::uint32_t> phase_{kRunning};
  std::atomic<std::uint32_t> quiet_{0};
  std::atomic<bool> cancel_asked_{false};
  std::atomic<bool> detached_{false};
  std::atomic<bool> started_{false};
  std::atomic<bool> wants_progress_{false};
  std::atomic<bool> failed_{false};  ///< failures_ has some.
  std::atomic<std::uint64_t> done_bytes_{0};
  std::atomic<std::uint64_t> reported_ns_{0};
  PathCounts path_counts_;

  mutable std::mutex mutex_;  ///< Guards what follows; never held while a callback runs.
  Status status_;             ///< Never changes once it is done, and is then read without the lock.
  std::vector<Failure> failures_;
  std::function<void(const Progress&)> progress_function_;
  std::vector<std::function<void(const Status&)>> complete_functions_;
  base::UniqueFd event_fd_;
};

/// Holds one reference.
class RequestPointer {
 public:
  RequestPointer() = default;
  explicit RequestPointer(RequestState* state) noexcept : state_(state) {
    if (state_ != nullptr) state_->add_reference();
  }
  RequestPointer(const RequestPointer& other) noexcept : RequestPointer(other.state_) {}
  RequestPointer(RequestPointer&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  RequestPointer& operator=(RequestPointer other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~RequestPointer() {
    if (state_ != nullptr) state_->drop_reference();
  }

  /// Takes over a reference that is already counted.
  static RequestPointer adopt(RequestState* state) noexcept {
    RequestPointer pointer;
    pointer.state_ = state;
    return pointer;
  }

  [[nodiscard]] RequestState* get() const noexcept { return state_; }
  RequestState* operator->() const noexcept { return state_; }
  RequestState& operator*() const noexcept { return *state_; }
  explicit operator bool() const noexcept { return state_ != nullptr; }
  friend bool operator==(const RequestPointer&, const RequestPointer&) = default;

 private:
  RequestState* state_ = nullptr;
};

}  // namespace gpuio::core
