// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "core/spi/device.h"
#include "core/spi/executor.h"
#include "device/host/kernels.h"
#include "device/host/memory.h"
#include "device/host/stream.h"

namespace gpuio::host {

/// The machine's own processors and memory, as a device. Handles are pointers to Stream, Event and Graph of this room.
/// The destructor drops queued work that waits for something, and blocks until what runs has run.
class Device final : public spi::Device {
 public:
  Device(std::string name, spi::Executor& executor, std::shared_ptr<WordWatch> words, const KernelTable& kernels);
  ~Device() override;

  const DeviceInfo& info() const noexcept override { return info_; }
  Capability capability(Ability ability) const override;
  Result<MemoryUse> memory_use() const override;
  bool memory_is_host() const noexcept override { return true; }

  Result<std::byte*> allocate(RegionKind kind, std::size_t bytes, const Placement& placement) override;
  Status free(RegionKind kind, std::byte* base, std::size_t bytes) override;
  Status register_memory(std::byte* base, std::size_t bytes, spi::RegisterMode mode) override;
  Status unregister_memory(std::byte* base, std::size_t bytes) override;

  Result<spi::StreamHandle> create_stream() override;
  Status destroy_stream(spi::StreamHandle stream) override;
  Status synchronize(spi::StreamHandle stream) override;
  Result<bool> capturing(spi::StreamHandle stream) override;
  void* native(spi::StreamHandle) const noexcept override { return nullptr; }
  Result<spi::StreamHandle> wrap_stream(void* native) override;

  Result<spi::EventHandle> create_event() override;
  Status destroy_event(spi::EventHandle event) override;
  Status record(spi::EventHandle event, spi::StreamHandle stream) override;
  Status wait(spi::StreamHandle stream, spi::EventHandle event) override;
  Result<bool> finished(spi::EventHandle event) override;
  Status synchronize_event(spi::EventHandle event) override;

  Status begin_capture(spi::StreamHandle stream) override;
  Result<spi::GraphHandle> end_capture(spi::StreamHandle stream) override;
  Status launch_graph(spi::GraphHandle graph, spi::StreamHandle stream) override;
  Status destroy_graph(spi::GraphHandle graph) override;

  Status copy(spi::StreamHandle stream, std::span<const spi::CopySegment> segments) override;
  Status fill(spi::StreamHandle stream, std::byte* memory, std::byte value, std::size_t bytes) override;
  Status wait_word(spi::StreamHandle stream, const std::uint32_t* word, std::uint32_t value) override;
  Status write_word(spi::StreamHandle stream, std::uint32_t* word, std::uint32_t value) override;
  Status launch(spi::StreamHandle stream, spi::KernelId kernel, const void* arguments) override;

  Result<int> export_dmabuf(std::byte* base, std::size_t bytes) override;

 private:
  DeviceInfo info_;
  spi::Executor& executor_;
  std::shared_ptr<WordWatch> words_;
  KernelTable kernels_;
  Memory memory_;

  std::mutex mutex_;
  std::map<Stream*, std::shared_ptr<Stream>> streams_;
  std::vector<std::weak_ptr<Stream>> destroyed_;  ///< May still have work queued.
};

}  // namespace gpuio::host
