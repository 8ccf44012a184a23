// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gpuio/layout.hpp"
#include "gpuio/memory.hpp"
#include "gpuio/result.hpp"
#include "gpuio/store.hpp"
#include "gpuio/stream.hpp"

namespace gpuio {

namespace core {
class RequestState;
class ContextState;
}  // namespace core

using Duration = std::chrono::nanoseconds;

/// Which queue a Request waits in. Higher classes go first and keep lower ones' bytes in flight bounded by measured
/// latency.
enum class Priority : std::uint8_t { background, bulk, high };

/// What has happened when a Request reports success.
enum class Completion : std::uint8_t {
  reusable,  ///< Writes: the source may be overwritten. Reads: as placed.
  placed,    ///< The bytes are in their destination.
  visible,   ///< ... and kernels queued on the Request's stream from now on see them.
  durable,   ///< Writes: ... and survive a crash (flushed).
};

/// Bytes of one Store paired with bytes of one Slice; both sides name the same number of bytes.
struct Transfer {
  Store store;       ///< Where the bytes are, or go.
  Layout extents;    ///< In the store; default: from its start, as many bytes as the memory side names.
  Slice memory;      ///< The other side, on any device.
  Layout placement;  ///< In `memory`; default: all of it, from its start.
};

/// How a transfer is to be done.
struct TransferOptions {
  Priority priority = Priority::bulk;           ///< Its class.
  Completion completion = Completion::visible;  ///< What success means.

  /// Reports `deadline_exceeded` after this long even if the device never answers; unset: request.timeout_ns of the
  /// settings.
  std::optional<Duration> timeout = std::nullopt;

  /// Starts after the work queued there, and later work there waits for it; the host never blocks.
  /// Must be of the memory's device. A capturing stream is an error: use a Launch.
  const Stream* stream = nullptr;

  CacheUse cache = CacheUse::automatic;  ///< Overrides the store's.

  /// A kernel that is already waiting depends on this Request: from its start to its end it uses no kernel, no
  /// allocation, no registration and no module load, but streams, events and up to 8 MiB of slabs that every
  /// accelerator has for such Requests from when it was opened (a quarter of memory.pinned_budget_bytes at most, all
  /// together), so it goes on however many kernels wait. It goes before all others, and without a timeout of its own or
  /// of the settings it has one of 30 s.
  ///
  /// What it takes from the caller: the device was opened, the memory allocated and the Store opened before the kernel
  /// started; nothing is allocated or freed on the device until it ends (drivers may wait for kernels there); and the
  /// kernel gives up by itself some time, because bytes may fail to come. A kernel sees bytes as they arrive, in no
  /// order: it waits for each part that it reads, not for the last. A copy has host memory on one side; between
  /// accelerators' memory it fails with `unsupported`. On the host device it only goes first.
  bool unassisted = false;
};

/// How far a Request is. All in bytes.
struct Progress {
  std::uint64_t done_bytes = 0;   ///< In their destination.
  std::uint64_t total_bytes = 0;  ///< Of the whole Request.
  Duration elapsed{};             ///< Since it was submitted.
  double bytes_per_second = 0;    ///< Average since it was submitted.
  bool finished = false;          ///< It has reported.
};

/// A part of a Request that failed; its siblings are done.
struct Failure {
  std::size_t transfer = 0;  ///< Position in the list that was submitted.
  Extent extent;             ///< In the store; of a copy, in its source.
  Status status;             ///< Why; names store, offset and path.
};

/// A way that bytes of a Request took.
struct PathUse {
  std::string path;         ///< "io_uring direct -> pinned slab -> copy engine"
  std::string reason;       ///< Why this one.
  std::uint64_t bytes = 0;  ///< That took it.
};

/// One asynchronous operation that the host drives.
///
/// A handle; copies refer to the same operation. When the last one goes while it still runs, it is cancelled and that
/// destructor waits until it is quiet; `detach()` lets it run on its own. Thread safety: all members, any thread.
class Request {
 public:
  Request() = default;
  Request(const Request& other) noexcept;                                              ///< Another handle.
  Request(Request&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}  ///< Leaves `other` empty.
  /// Lets go of what it referred to, as the destructor.
  Request& operator=(Request other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~Request();

  [[nodiscard]] bool done() const noexcept;  ///< True once it has reported.

  /// Blocks until it reports: ok, or the first failure. With a timeout: `deadline_exceeded` with scope request when
  /// that passes first; the operation goes on. In a Context driven by its caller this drives it.
  [[nodiscard]] Status wait() const;
  [[nodiscard]] Status wait(Duration timeout) const;  ///< As above, at most so long.

  /// The outcome; `would_block` while it runs.
  [[nodiscard]] Status status() const;

  /// Every part that failed, in no order; complete once done.
  [[nodiscard]] std::vector<Failure> failures() const;

  [[nodiscard]] Progress progress() const;  ///< How far it is now; never blocks.

  /// Called at least every request.progress_interval_ns (100 ms) while it runs, and once at the end, on a thread of the
  /// library (or inside poll) and under no lock. Replaces the function set before.
  void on_progress(std::function<void(const Progress&)> function) const;

  /// Called once when it reports; at once if it has. May free the Request, start others, not block.
  void on_complete(std::function<void(const Status&)> function) const;

  /// A descriptor that becomes readable when it reports; owned by the Request. For epoll and asyncio.
  [[nodiscard]] Result<int> event_fd() const;

  /// Asks for its end: parts not begun never begin, parts in flight are abandoned. Returns once it is quiet; the
  /// Request then reports `cancelled` unless it had finished.
  void cancel() const;

  /// True once no byte of its memory can still move. Usually with done(); later after a deadline passed with the device
  /// still silent.
  [[nodiscard]] bool quiet() const noexcept;

  /// Lets it run on when the last handle goes.
  void detach() const;

  [[nodiscard]] std::vector<PathUse> paths() const;  ///< The ways its bytes took, so far.
  /// `paths()` in words, a line each, with what was retried, widened or coalesced.
  [[nodiscard]] std::string explain() const;

  /// `co_await request` gives its Status; resumes on a thread of the library (or inside poll).
  auto operator co_await() const noexcept {
    struct Awaiter {
      const Request& request;
      [[nodiscard]] bool await_ready() const noexcept { return request.done(); }
      void await_suspend(std::coroutine_handle<> handle) const {
        request.on_complete([handle](const Status&) { handle.resume(); });
      }
      [[nodiscard]] Status await_resume() const { return request.status(); }
    };
    return Awaiter{*this};
  }

  [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }

  /// For the library: takes over one handle count of `state`.
  explicit Request(core::RequestState* state) noexcept : state_(state) {}
  [[nodiscard]] core::RequestState* state() const noexcept { return state_; }

 private:
  core::RequestState* state_ = nullptr;  ///< Counts its handles, so a Request costs one allocation in all.
};

}  // namespace gpuio
