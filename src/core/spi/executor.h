// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <span>

#include "base/clock.h"

/// What drives the state machines: threads of its own, the caller's loop, or the simulator.
namespace gpuio::spi {

inline constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

/// Work for the pool: runs once, on any worker, must not block on other tasks. Owned by whoever posts it; it may free
/// itself in `run`. Intrusive, so posting allocates nothing.
class Task {
 public:
  virtual void run() = 0;

  Task* next = nullptr;  ///< The executor's while posted.

 protected:
  ~Task() = default;
};

/// A state machine. `poll` does what can be done now, never blocks, and returns when it wants to be called next even if
/// nothing wakes it: a time of the executor's clock, `now` to be called again at once, kNever to sleep.
class Pollable {
 public:
  virtual std::uint64_t poll(std::uint64_t now_ns) = 0;
  /// A descriptor that becomes readable, or is written again, when poll has something to do; it may stay readable.
  /// -1 if only Executor::wake says so.
  [[nodiscard]] virtual int wake_fd() const noexcept { return -1; }

 protected:
  ~Pollable() = default;
};

/// Workers that are bound to the processors of one memory node.
struct WorkerNode {
  int node = 0;
  unsigned workers = 0;
};

/// Thread safety: all members, any thread.
class Executor {
 public:
  virtual ~Executor() = default;

  [[nodiscard]] virtual base::Clock& clock() noexcept = 0;

  /// How many tasks can run at once (0 when only the caller drives).
  [[nodiscard]] virtual unsigned workers() const noexcept = 0;

  virtual void post(Task& task) = 0;
  /// As post, for a worker of `node`; one of another takes it where that is idle and those are not.
  virtual void post_near(Task& task, int /*node*/) { post(task); }

  /// Whether a task that does a part of its work now and posts itself for the rest lets another begin.
  [[nodiscard]] virtual bool tasks_wait() const noexcept { return true; }

  /// Where the workers are bound to several nodes: those. Empty otherwise.
  [[nodiscard]] virtual std::span<const WorkerNode> worker_nodes() const noexcept { return {}; }

  /// Drives `machine` from now on; all machines of one executor are polled by one thread at a time (the reactor).
  virtual void attach(Pollable& machine) = 0;
  /// Returns once `machine` is not being polled and won't be again. Not from within poll.
  virtual void detach(Pollable& machine) = 0;

  /// Has the reactor poll soon. Cheap when it is awake. Callable from tasks and from any thread.
  virtual void wake() = 0;

  /// Blocks until `word` is no longer `value` or the clock passes `deadline_ns`; drives the machines itself where no
  /// thread does. True if the word changed. Whoever changes the word calls `notify`.
  virtual bool wait(const std::atomic<std::uint32_t>& word, std::uint32_t value, std::uint64_t deadline_ns) = 0;
  virtual void notify(std::atomic<std::uint32_t>& word) = 0;

  /// True inside poll: whoever is asked to wait there would wait for himself.
  [[nodiscard]] virtual bool is_reactor_thread() const noexcept { return false; }

  /// Drive::caller: one turn of everything that can run; true if anything did.
  virtual bool turn() = 0;
  /// Drive::caller: readable when turn has something to do.
  [[nodiscard]] virtual int wake_fd() const noexcept = 0;
};

}  // namespace gpuio::spi
