// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>

#include "core/spi/device.h"

namespace gpuio::spi {

/// A device that hands every call on to another: what those derive from that change a few of them, as simulators and
/// test doubles do. Urgent streams are those that `create_stream` makes, so that one override serves both. Thread
/// safety: the other's.
class ForwardingDevice : public Device {
 public:
  explicit ForwardingDevice(std::unique_ptr<Device> inner) noexcept : inner_(std::move(inner)) {}

  const DeviceInfo& info() const noexcept override { return inner_->info(); }
  Capability capability(Ability ability) const override { return inner_->capability(ability); }
  Result<MemoryUse> memory_use() const override { return inner_->memory_use(); }
  bool memory_is_host() const noexcept override { return inner_->memory_is_host(); }

  Result<std::byte*> allocate(RegionKind kind, std::size_t bytes, const Placement& placement) override {
    return inner_->allocate(kind, bytes, placement);
  }
  Status free(RegionKind kind, std::byte* base, std::size_t bytes) override { return inner_->free(kind, base, bytes); }
  Status register_memory(std::byte* base, std::size_t bytes, RegisterMode mode) override {
    return inner_->register_memory(base, bytes, mode);
  }
  Status unregister_memory(std::byte* base, std::size_t bytes) override {
    return inner_->unregister_memory(base, bytes);
  }

  Result<StreamHandle> create_stream() override { return inner_->create_stream(); }
  Status destroy_stream(StreamHandle stream) override { return inner_->destroy_stream(stream); }
  Status synchronize(StreamHandle stream) override { return inner_->synchronize(stream); }
  Result<bool> capturing(StreamHandle stream) override { return inner_->capturing(stream); }
  void* native(StreamHandle stream) const noexcept override { return inner_->native(stream); }
  Result<StreamHandle> wrap_stream(void* native) override { return inner_->wrap_stream(native); }

  Result<EventHandle> create_event() override { return inner_->create_event(); }
  Status destroy_event(EventHandle event) override { return inner_->destroy_event(event); }
  Status record(EventHandle event, StreamHandle stream) override { return inner_->record(event, stream); }
  Status wait(StreamHandle stream, EventHandle event) override { return inner_->wait(stream, event); }
  Result<bool> finished(EventHandle event) override { return inner_->finished(event); }
  Status synchronize_event(EventHandle event) override { return inner_->synchronize_event(event); }

  Status begin_capture(StreamHandle stream) override { return inner_->begin_capture(stream); }
  Result<GraphHandle> end_capture(StreamHandle stream) override { return inner_->end_capture(stream); }
  Status launch_graph(GraphHandle graph, StreamHandle stream) override { return inner_->launch_graph(graph, stream); }
  Status destroy_graph(GraphHandle graph) override { return inner_->destroy_graph(graph); }

  Status copy(StreamHandle stream, std::span<const CopySegment> segments) override {
    return inner_->copy(stream, segments);
  }
  Status fill(StreamHandle stream, std::byte* memory, std::byte value, std::size_t bytes) override {
    return inner_->fill(stream, memory, value, bytes);
  }
  Status wait_word(StreamHandle stream, const std::uint32_t* word, std::uint32_t value) override {
    return inner_->wait_word(stream, word, value);
  }
  Status write_word(StreamHandle stream, std::uint32_t* word, std::uint32_t value) override {
    return inner_->write_word(stream, word, value);
  }
  Status launch(StreamHandle stream, KernelId kernel, const void* arguments) override {
    return inner_->launch(stream, kernel, arguments);
  }
  Result<int> export_dmabuf(std::byte* base, std::size_t bytes) override { return inner_->export_dmabuf(base, bytes); }

 protected:
  const std::unique_ptr<Device> inner_;
};

}  // namespace gpuio::spi
