// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "core/memory/host_pages.h"
#include "core/spi/device.h"
#include "core/spi/memory_exporter.h"
#include "device/cuda/registrations.h"
#include "device/cuda/table.h"

namespace gpuio::cuda {

/// What a code of the table's functions means: ok for 0, else the kind of failure, CUDA's name, text and number.
[[nodiscard]] Status status_of(const gpuio_cuda_table& table, int code, std::string_view doing);

/// One GPU, through the table. Handles are CUDA's own.
class Device final : public spi::Device, public spi::MemoryExporter {
 public:
  /// `chunk_bytes`: see Registrations.
  static Result<std::unique_ptr<Device>> open(const gpuio_cuda_table& table, int ordinal, std::string name,
                                              std::size_t chunk_bytes = Registrations::kChunkBytes);
  ~Device() override;

  /// Lets this device and another read each other's memory.
  [[nodiscard]] Status connect(int peer_ordinal);

  const DeviceInfo& info() const noexcept override { return info_; }
  Capability capability(Ability ability) const override;
  Result<MemoryUse> memory_use() const override;
  bool memory_is_host() const noexcept override { return false; }

  Result<std::byte*> allocate(RegionKind kind, std::size_t bytes, const Placement& placement) override;
  Status free(RegionKind kind, std::byte* base, std::size_t bytes) override;
  Status register_memory(std::byte* base, std::size_t bytes, spi::RegisterMode mode) override;
  Status unregister_memory(std::byte* base, std::size_t bytes) override;

  Result<spi::StreamHandle> create_stream() override;
  Result<spi::StreamHandle> create_urgent_stream() override;
  Status destroy_stream(spi::StreamHandle stream) override;
  Status synchronize(spi::StreamHandle stream) override;
  Result<bool> capturing(spi::StreamHandle stream) override;
  void* native(spi::StreamHandle stream) const noexcept override { return stream; }
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

  Result<spi::MemoryHandle> export_memory(std::byte* base, std::size_t bytes) override;
  Result<std::byte*> import_memory(const spi::MemoryHandle& handle, std::size_t bytes) override;
  Status release_imported(std::byte* base, std::size_t bytes) override;

 private:
  Device(const gpuio_cuda_table& table, gpuio_cuda_device* device, std::size_t chunk_bytes)
      : table_(table), device_(device), registrations_(table, device, chunk_bytes) {}

  Result<std::byte*> allocate_device(std::size_t bytes);
  Result<std::byte*> allocate_pinned(std::size_t bytes, const Placement& placement);
  Result<std::byte*> allocate_mapped(std::size_t bytes, const Placement& placement);
  Status free_pinned(std::byte* base);
  Status queue_copies(spi::StreamHandle stream, std::span<const spi::CopySegment> segments);

  const gpuio_cuda_table& table_;
  gpuio_cuda_device* device_;
  gpuio_cuda_info facts_{};
  DeviceInfo info_;
  Registrations registrations_;

  std::mutex mutex_;
  std::map<std::byte*, core::HostPages> pinned_;
  std::uint64_t mapped_bytes_ = 0;
  std::multimap<std::byte*, void*> imported_;  ///< Where imported memory starts, and the allocation that it lies in.
};

}  // namespace gpuio::cuda
