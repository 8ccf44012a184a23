// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/spi/kernels.h"
#include "gpuio/device.hpp"
#include "gpuio/memory.hpp"
#include "gpuio/result.hpp"

/// What a device implements. The core speaks to every device through these two classes; the simulator wraps them to
/// inject faults. Handles are opaque to the core and owned by it: each one created is destroyed through the same
/// Device.
namespace gpuio::spi {

using StreamHandle = void*;
using EventHandle = void*;
using GraphHandle = void*;

/// Bytes from one address to another; either may be host memory or memory of any device of the same driver.
struct CopySegment {
  const std::byte* source = nullptr;
  std::byte* destination = nullptr;
  std::size_t bytes = 0;
};

enum class RegisterMode : std::uint8_t { read_write, read_only };

/// One processor. Thread safety: all members, any thread. No call blocks for queued work unless its comment says so.
class Device {
 public:
  virtual ~Device() = default;

  [[nodiscard]] virtual const DeviceInfo& info() const noexcept = 0;
  [[nodiscard]] virtual Capability capability(Ability ability) const = 0;
  [[nodiscard]] virtual Result<MemoryUse> memory_use() const = 0;

  /// True if host code may load and store `RegionKind::device` memory: no slab is needed on the way to it.
  [[nodiscard]] virtual bool memory_is_host() const noexcept = 0;

  /// `placement` is of a machine that has its nodes (placement::check), and the default for memory of the device's own.
  /// Aligned to at least 256 bytes (device) or a page (host kinds). May synchronise.
  [[nodiscard]] virtual Result<std::byte*> allocate(RegionKind kind, std::size_t bytes, const Placement& placement) = 0;
  [[nodiscard]] virtual Status free(RegionKind kind, std::byte* base, std::size_t bytes) = 0;

  /// Lets the copy engine and kernels use host memory that others allocated; page-aligned. Ranges never overlap.
  [[nodiscard]] virtual Status register_memory(std::byte* base, std::size_t bytes, RegisterMode mode) = 0;
  [[nodiscard]] virtual Status unregister_memory(std::byte* base, std::size_t bytes) = 0;

  [[nodiscard]] virtual Result<StreamHandle> create_stream() = 0;
  /// A stream whose work goes before others' and, where the device can have it so, shares no hardware queue with
  /// ordinary streams: one that waits never stands in its way.
  [[nodiscard]] virtual Result<StreamHandle> create_urgent_stream() { return create_stream(); }
  [[nodiscard]] virtual Status destroy_stream(StreamHandle stream) = 0;  ///< Queued work still runs.
  [[nodiscard]] virtual Status synchronize(StreamHandle stream) = 0;     ///< Blocks.
  [[nodiscard]] virtual Result<bool> capturing(StreamHandle stream) = 0;
  [[nodiscard]] virtual void* native(StreamHandle stream) const noexcept = 0;
  [[nodiscard]] virtual Result<StreamHandle> wrap_stream(void* native) = 0;

  [[nodiscard]] virtual Result<EventHandle> create_event() = 0;
  [[nodiscard]] virtual Status destroy_event(EventHandle event) = 0;
  [[nodiscard]] virtual Status record(EventHandle event, StreamHandle stream) = 0;
  [[nodiscard]] virtual Status wait(StreamHandle stream, EventHandle event) = 0;
  /// True when recorded work has run; an error of that work is reported here. An event never recorded is finished.
  [[nodiscard]] virtual Result<bool> finished(EventHandle event) = 0;
  [[nodiscard]] virtual Status synchronize_event(EventHandle event) = 0;  ///< Blocks.

  [[nodiscard]] virtual Status begin_capture(StreamHandle stream) = 0;
  [[nodiscard]] virtual Result<GraphHandle> end_capture(StreamHandle stream) = 0;
  [[nodiscard]] virtual Status launch_graph(GraphHandle graph, StreamHandle stream) = 0;
  [[nodiscard]] virtual Status destroy_graph(GraphHandle graph) = 0;

  /// Queues all segments, batched where the driver can. The list may be freed on return.
  [[nodiscard]] virtual Status copy(StreamHandle stream, std::span<const CopySegment> segments) = 0;
  [[nodiscard]] virtual Status fill(StreamHandle stream, std::byte* memory, std::byte value, std::size_t bytes) = 0;

  /// Later work on `stream` waits until `*word >= value` (cyclic order of u32); `word` is in pinned host memory.
  [[nodiscard]] virtual Status wait_word(StreamHandle stream, const std::uint32_t* word, std::uint32_t value) = 0;
  [[nodiscard]] virtual Status write_word(StreamHandle stream, std::uint32_t* word, std::uint32_t value) = 0;

  /// Queues one kernel; `arguments` points to the kernel's argument struct (kernels.h), copied before return.
  [[nodiscard]] virtual Status launch(StreamHandle stream, KernelId kernel, const void* arguments) = 0;

  [[nodiscard]] virtual Result<int> export_dmabuf(std::byte* base, std::size_t bytes) = 0;
};

/// A family of devices: `host`, `cuda`. Made by assembly; costs nothing until asked. Thread safety: all members.
class DeviceDriver {
 public:
  virtual ~DeviceDriver() = default;
  [[nodiscard]] virtual std::string_view family() const noexcept = 0;
  /// How many there are; a Status with the reason when the family can't be used here at all.
  [[nodiscard]] virtual Result<int> count() = 0;
  /// Name of the `ordinal`-th: "host", "host:1", "cuda:0".
  [[nodiscard]] virtual std::string name(int ordinal) const = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<Device>> open(int ordinal) = 0;
};

}  // namespace gpuio::spi
