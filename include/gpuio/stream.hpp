// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "gpuio/result.hpp"

namespace gpuio {

namespace core {
class StreamState;
class EventState;
class GraphState;
class DeviceState;
}  // namespace core

/// A point in a Stream's order. Copies refer to the same point. Thread safety: all members, any thread.
class Event {
 public:
  /// True once everything queued before it has run. Never blocks.
  [[nodiscard]] Result<bool> finished() const;
  [[nodiscard]] Status synchronize() const;  ///< Blocks the caller until finished.

 private:
  friend class Stream;
  explicit Event(std::shared_ptr<core::EventState> state) : state_(std::move(state)) {}
  std::shared_ptr<core::EventState> state_;
};

/// Work recorded from a Stream, to be launched again and again. Holds no Regions: keep the Pins that its Launches took.
class Graph {
 public:
  /// Queues the recorded work on `stream`; costs one driver call.
  [[nodiscard]] Status launch(const class Stream& stream) const;

 private:
  friend class Stream;
  explicit Graph(std::shared_ptr<core::GraphState> state) : state_(std::move(state)) {}
  std::shared_ptr<core::GraphState> state_;
};

/// An order of work on one Device. What is queued runs later and in order; nothing here blocks but `synchronize`.
///
/// Copies refer to the same stream; the last one destroys it when it was created by the library, after its work is
/// done. Thread safety: all members, any thread; two threads that queue at once get some order.
class Stream {
 public:
  /// The vendor's handle (cudaStream_t); null on the host device.
  [[nodiscard]] void* native() const noexcept;

  [[nodiscard]] Result<Event> record() const;  ///< The point after everything queued so far.
  /// Later work here waits for `event`, which may be of another stream or device of the same kind.
  [[nodiscard]] Status wait(const Event& event) const;
  /// Blocks the caller until everything queued so far has run; reports the stream's first error.
  [[nodiscard]] Status synchronize() const;

  /// From here to `end_capture`, work is recorded instead of run. A Request on a capturing stream is an error.
  [[nodiscard]] Status begin_capture() const;
  [[nodiscard]] Result<Graph> end_capture() const;  ///< What was recorded.

  [[nodiscard]] const std::shared_ptr<core::StreamState>& state() const noexcept { return state_; }

 private:
  friend class Device;
  friend class core::DeviceState;
  explicit Stream(std::shared_ptr<core::StreamState> state) : state_(std::move(state)) {}
  std::shared_ptr<core::StreamState> state_;
};

}  // namespace gpuio
