// SPDX-License-Identifier: Apache-2.0
#include "device/cuda/device.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "base/log.h"
#include "base/try.h"

// What a device is, and its order of work; its memory is in device_memory.cpp.
namespace gpuio::cuda {
namespace {

Status null_argument(std::string_view what) {
  return Status(Code::invalid_argument, "a null handle or address").with("argument", what);
}

/// The node that the PCI tree says is nearest; -1 where it doesn't.
int numa_node_of(std::string bus_id) {
  std::transform(bus_id.begin(), bus_id.end(), bus_id.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  std::ifstream file("/sys/bus/pci/devices/" + bus_id + "/numa_node");
  int node = -1;
  return file >> node ? node : -1;
}

Code code_of(gpuio_cuda_failure failure) {
  switch (failure) {
    case GPUIO_CUDA_INVALID:
      return Code::invalid_argument;
    case GPUIO_CUDA_OUT_OF_MEMORY:
      return Code::out_of_memory;
    case GPUIO_CUDA_UNSUPPORTED:
    case GPUIO_CUDA_NO_DRIVER:
    case GPUIO_CUDA_NO_DEVICE:
      return Code::unsupported;
    case GPUIO_CUDA_ALREADY_REGISTERED:
      return Code::already_exists;
    case GPUIO_CUDA_NOT_REGISTERED:
      return Code::not_found;
    case GPUIO_CUDA_DEVICE_LOST:
      return Code::device_lost;
    case GPUIO_CUDA_OTHER:
      return Code::device_error;
  }
  return Code::device_error;
}

}  // namespace

Status status_of(const gpuio_cuda_table& table, int code, std::string_view doing) {
  if (code == 0) return {};
  const gpuio_cuda_failure failure = table.failure(code);
  std::string message(doing);
  message += " failed: ";
  message += table.error_text(code);
  if (failure == GPUIO_CUDA_NO_DRIVER) message += " (install an NVIDIA driver for CUDA 13 or newer)";
  const bool lost = failure == GPUIO_CUDA_DEVICE_LOST;
  return Status(code_of(failure), std::move(message))
      .with("cuda", table.error_name(code))
      .with_native(code)
      .with_scope(lost ? FailureScope::device : FailureScope::request)
      .with_effect(lost ? Effect::unknown : Effect::none);
}

Result<std::unique_ptr<Device>> Device::open(const gpuio_cuda_table& table, int ordinal, std::string name,
                                             std::size_t chunk_bytes) {
  gpuio_cuda_device* opened = nullptr;
  GPUIO_TRY(status_of(table, table.open(ordinal, &opened), "opening " + name));
  std::unique_ptr<Device> device(new Device(table, opened, chunk_bytes));
  GPUIO_TRY(status_of(table, table.info(opened, &device->facts_), "asking about " + name));
  DeviceInfo& info = device->info_;
  info.name = std::move(name);
  info.model = device->facts_.model;
  info.memory_bytes = device->facts_.memory_bytes;
  info.bus_id = device->facts_.bus_id;
  info.numa_node = numa_node_of(info.bus_id);
  if (info.numa_node < 0) info.numa_node = device->facts_.host_numa_node;
  return device;
}

Device::~Device() {
  for (const auto& [base, pages] : pinned_) {
    const Status status = registrations_.remove(base, pages.size());
    if (!status.ok()) GPUIO_LOG(error, "cuda", "closing " + info_.name + ": " + status.to_string());
  }
  table_.close(device_);
}

Status Device::connect(int peer_ordinal) {
  return status_of(table_, table_.connect(device_, peer_ordinal),
                   "connecting " + info_.name + " and cuda:" + std::to_string(peer_ordinal));
}

Capability Device::capability(Ability ability) const {
  const auto answer = [](bool available, const char* reason) {
    return available ? Capability{true, ""} : Capability{false, reason};
  };
  switch (ability) {
    case Ability::host_load_store:
    case Ability::host_atomics:
      return {false, "device memory is reached by kernels and copies only"};
    case Ability::device_load_store:
    case Ability::device_copy:
    case Ability::device_atomics:
    case Ability::pinned_regions:
    case Ability::graphs:
    case Ability::coherent:
      return {true, ""};
    case Ability::host_native_atomics:
      return answer(facts_.has_host_atomics != 0,
                    "the link to the host carries no atomic operations (PCIe; NVLink-C2C would)");
    case Ability::peer_copy:
      return {true, "directly where the hardware lets two devices see each other, else through the host"};
    case Ability::storage_fixed:
      return {false, "the kernel's io_uring takes host memory only"};
    case Ability::mapped_regions:
      return answer(facts_.can_map_managed != 0,
                    "the device and the host can't use managed memory at the same time; use pinned Regions");
    case Ability::register_read_only:
      return answer(facts_.can_register_read_only != 0,
                    "the device or its driver can't register read-only host memory; files go through slabs");
    case Ability::stream_wait_word:
      return answer(facts_.can_wait_word != 0, "the driver has no cuStreamWaitValue32; update it");
    case Ability::dmabuf_export:
      return answer(facts_.can_export_dmabuf != 0, "the driver exports no dma-bufs; it needs its open kernel modules");
    case Ability::storage_peer_to_peer:
      return {false,
              "no engine of this build writes device memory directly: it needs nvidia-fs or PCI peer-to-peer DMA"};
    case Ability::trace_ranges:
      return answer(facts_.has_trace_ranges != 0, "built without the nvtx3 headers");
  }
  return {false, "unknown ability"};
}

Result<MemoryUse> Device::memory_use() const {
  MemoryUse use;
  GPUIO_TRY(status_of(table_, table_.memory_use(device_, &use.free_bytes, &use.total_bytes), "asking for free memory"));
  return use;
}

Result<spi::StreamHandle> Device::create_stream() {
  void* stream = nullptr;
  GPUIO_TRY(status_of(table_, table_.create_stream(device_, &stream), "creating a stream"));
  return stream;
}

Result<spi::StreamHandle> Device::create_urgent_stream() {
  void* stream = nullptr;
  GPUIO_TRY(status_of(table_, table_.create_urgent_stream(device_, &stream), "creating an urgent stream"));
  return stream;
}

Status Device::destroy_stream(spi::StreamHandle stream) {
  if (stream == nullptr) return null_argument("stream");
  return status_of(table_, table_.destroy_stream(device_, stream), "destroying a stream");
}

Status Device::synchronize(spi::StreamHandle stream) {
  GPUIO_ASSIGN(const bool recording, capturing(stream));
  if (recording) {
    // CUDA would refuse too, and spoil the capture.
    return Status(Code::invalid_argument, "a stream that is being captured can't be synchronised: nothing of it runs");
  }
  return status_of(table_, table_.synchronize(device_, stream), "synchronising a stream");
}

Result<bool> Device::capturing(spi::StreamHandle stream) {
  if (stream == nullptr) return null_argument("stream");
  int answer = 0;
  GPUIO_TRY(status_of(table_, table_.capturing(device_, stream, &answer), "asking whether a stream is captured"));
  return answer != 0;
}

Result<spi::StreamHandle> Device::wrap_stream(void* native) {
  return native != nullptr ? native : table_.default_stream();
}

Result<spi::EventHandle> Device::create_event() {
  void* event = nullptr;
  GPUIO_TRY(status_of(table_, table_.create_event(device_, &event), "creating an event"));
  return event;
}

Status Device::destroy_event(spi::EventHandle event) {
  if (event == nullptr) return null_argument("event");
  return status_of(table_, table_.destroy_event(device_, event), "destroying an event");
}

Status Device::record(spi::EventHandle event, spi::StreamHandle stream) {
  if (event == nullptr || stream == nullptr) return null_argument(event == nullptr ? "event" : "stream");
  return status_of(table_, table_.record(device_, event, stream), "recording an event");
}

Status Device::wait(spi::StreamHandle stream, spi::EventHandle event) {
  if (event == nullptr || stream == nullptr) return null_argument(event == nullptr ? "event" : "stream");
  return status_of(table_, table_.wait(device_, stream, event), "queueing a wait for an event");
}

Result<bool> Device::finished(spi::EventHandle event) {
  if (event == nullptr) return null_argument("event");
  int answer = 0;
  GPUIO_TRY(status_of(table_, table_.finished(device_, event, &answer), "work before an event"));
  return answer != 0;
}

Status Device::synchronize_event(spi::EventHandle event) {
  if (event == nullptr) return null_argument("event");
  return status_of(table_, table_.synchronize_event(device_, event), "work before an event");
}

Status Device::begin_capture(spi::StreamHandle stream) {
  GPUIO_ASSIGN(const bool already, capturing(stream));
  if (already) return Status(Code::invalid_argument, "the stream is being captured already");
  return status_of(table_, table_.begin_capture(device_, stream), "beginning a capture");
}

Result<spi::GraphHandle> Device::end_capture(spi::StreamHandle stream) {
  if (stream == nullptr) return null_argument("stream");
  void* graph = nullptr;
  GPUIO_TRY(status_of(table_, table_.end_capture(device_, stream, &graph), "ending a capture"));
  return graph;
}

Status Device::launch_graph(spi::GraphHandle graph, spi::StreamHandle stream) {
  if (graph == nullptr || stream == nullptr) return null_argument(graph == nullptr ? "graph" : "stream");
  return status_of(table_, table_.launch_graph(device_, graph, stream), "launching a graph");
}

Status Device::destroy_graph(spi::GraphHandle graph) {
  if (graph == nullptr) return null_argument("graph");
  return status_of(table_, table_.destroy_graph(device_, graph), "destroying a graph");
}

Status Device::fill(spi::StreamHandle stream, std::byte* memory, std::byte value, std::size_t bytes) {
  if (stream == nullptr) return null_argument("stream");
  if (bytes == 0) return {};
  if (memory == nullptr) return null_argument("memory");
  return status_of(table_, table_.fill(device_, stream, memory, std::to_integer<int>(value), bytes), "queueing a fill");
}

Status Device::wait_word(spi::StreamHandle stream, const std::uint32_t* word, std::uint32_t value) {
  if (stream == nullptr || word == nullptr) return null_argument(stream == nullptr ? "stream" : "word");
  return status_of(table_, table_.wait_word(device_, stream, word, value), "queueing a wait for a word");
}

Status Device::write_word(spi::StreamHandle stream, std::uint32_t* word, std::uint32_t value) {
  if (stream == nullptr || word == nullptr) return null_argument(stream == nullptr ? "stream" : "word");
  return status_of(table_, table_.write_word(device_, stream, word, value), "queueing a write of a word");
}

Status Device::launch(spi::StreamHandle stream, spi::KernelId kernel, const void* arguments) {
  if (stream == nullptr) return null_argument("stream");
  return status_of(table_, table_.launch(device_, stream, static_cast<std::uint32_t>(kernel), arguments),
                   "launching a kernel");
}

}  // namespace gpuio::cuda
