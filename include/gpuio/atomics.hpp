// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "gpuio/context.hpp"
#include "gpuio/dev/words.h"
#include "gpuio/device.hpp"
#include "gpuio/launch.hpp"
#include "gpuio/memory.hpp"
#include "gpuio/stream.hpp"

/// \file
/// Atomic operations by kernels. Host code and users' own kernels use a View's `atomic`, which needs nothing of this.

namespace gpuio {

namespace core {
class DelegateState;
}  // namespace core

using dev::AtomicOp;
using dev::ValueType;

/// How DelegatedAtomics are made.
struct DelegateOptions {
  std::uint32_t queues = 16;   ///< Callers of one multiprocessor share one. Each is served in order, all in turn.
  std::uint32_t slots = 1024;  ///< Operations under way in each queue: a power of two from 64 to 65536.
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);  ///< How long a kernel waits for an answer.
};

/// What has been asked of DelegatedAtomics so far.
struct DelegateStatistics {
  std::uint64_t served = 0;   ///< Operations answered.
  std::uint64_t refused = 0;  ///< Of them, those that named no word or could not be done to it.
};

/// Atomic operations on host memory for kernels whose own are not legal there (Slice::atomics says so: a GPU behind
/// PCIe has none). They go through a ring in pinned memory to the host, which does them with its own: the result is
/// that of native ones, also beside host code that updates the same words.
///
/// The Context's executor looks at the ring, so a busy one takes a core's time. Kernels use it through `launch_update`,
/// or with `ring()` and dev::Delegate in code of their own. Must outlive what was launched with it: kernels that nobody
/// answers give up after the timeout. Movable, not copyable. Thread safety: const members, any thread.
class DelegatedAtomics {
 public:
  /// For kernels of `caller` on the words in `words`, of host memory.
  ///
  /// Fails with `invalid_argument` (options; memory that host code can't update, misaligned to 8), `stale`,
  /// `unsupported` (the host device where nothing but the caller's polls runs kernels and answers them), and as
  /// Device::allocate. Takes some 50 bytes of pinned memory and 4 of the device's per slot.
  [[nodiscard]] static Result<DelegatedAtomics> create(const Context& context, const Device& caller, const Slice& words,
                                                       const DelegateOptions& options = {});

  [[nodiscard]] const dev::DelegateRing& ring() const noexcept;  ///< For kernels; copy it to them.
  [[nodiscard]] DelegateStatistics statistics() const noexcept;  ///< A reading of its counters.
  [[nodiscard]] const std::shared_ptr<core::DelegateState>& state() const noexcept { return state_; }

 private:
  explicit DelegatedAtomics(std::shared_ptr<core::DelegateState> state) : state_(std::move(state)) {}
  std::shared_ptr<core::DelegateState> state_;
};

/// Operations on words by index, done by a kernel on the caller's stream.
///
/// Pins must be of memory that kernels of the stream's device may load and store, and every array aligned to its type.
struct UpdateLaunch {
  const Pin* words = nullptr;                  ///< The words; null where `delegate` has them.
  const DelegatedAtomics* delegate = nullptr;  ///< Does the operations; null: the device does.
  ValueType type = ValueType::u64;             ///< Of the words, and of all values.
  AtomicOp op = AtomicOp::add;                 ///< What is done to them.
  dev::Scope scope = dev::Scope::process;      ///< Of the device's own operations.
  std::uint64_t count = 0;                     ///< Of operations; may be 0.
  const Pin* ids = nullptr;                    ///< `count` indices of words; null: the i-th on the i-th word.
  IdType id_type = IdType::u32;                ///< Of `ids`.
  const Pin* operands = nullptr;               ///< `count` values.
  const Pin* expected = nullptr;               ///< `count` values, for compare_exchange alone.
  const Pin* old = nullptr;                    ///< `count` values: what each word was; null: nobody wants to know.
  const Pin* status = nullptr;  ///< 4 bytes, zeroed by the caller: left 0, or 1 + the position of an operation that was
                                ///< not done: no such word, or the delegate did not answer. One of them.
};

/// Queues the operations on `stream`, in any order, each of them atomic in its scope and none of them ordering anything
/// else. A Launch: see launch_gather. Adding rows of gradients is this with `add` and f32; the same id may come often.
///
/// Fails with `invalid_argument` (names the field), `unsupported` (what Slice::atomics says: use a delegate; memory
/// that kernels of the stream's device don't reach), `permission_denied` (where it would store is a Store mapped for
/// reading), `device_error`. Cost: one kernel launch.
[[nodiscard]] Status launch_update(const Stream& stream, const UpdateLaunch& update);

}  // namespace gpuio
