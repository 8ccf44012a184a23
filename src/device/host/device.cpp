// SPDX-License-Identifier: Apache-2.0
#include "device/host/device.h"

#include <cstring>
#include <fstream>
#include <utility>

#include "base/try.h"
#include "core/placement/numa.h"

namespace gpuio::host {
namespace {

std::string processor_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "host";
}

Status null_handle(std::string_view what) { return Status(Code::closed, "the handle is null").with("argument", what); }

Stream* stream_of(spi::StreamHandle handle) { return static_cast<Stream*>(handle); }
Event* event_of(spi::EventHandle handle) { return static_cast<Event*>(handle); }

}  // namespace

Device::Device(std::string name, spi::Executor& executor, std::shared_ptr<WordWatch> words, const KernelTable& kernels)
    : executor_(executor), words_(std::move(words)), kernels_(kernels) {
  info_.name = std::move(name);
  info_.model = processor_model();
  if (const auto memory = system_memory()) info_.memory_bytes = memory->total_bytes;
  info_.numa_node = core::numa::exists(1) ? -1 : 0;  // With several nodes none is nearer than the others.
}

Device::~Device() {
  for (const auto& [pointer, stream] : streams_) stream->stop();
  for (const auto& destroyed : destroyed_) {
    if (const auto stream = destroyed.lock()) stream->stop();
  }
}

Capability Device::capability(Ability ability) const {
  switch (ability) {
    case Ability::host_load_store:
    case Ability::device_load_store:
    case Ability::device_copy:
    case Ability::storage_fixed:
    case Ability::host_atomics:
    case Ability::device_atomics:
    case Ability::mapped_regions:
    case Ability::coherent:
    case Ability::host_native_atomics:
    case Ability::graphs:
      return {true, ""};
    case Ability::pinned_regions:
      return {true, "locked against swapping, as far as RLIMIT_MEMLOCK allows"};
    case Ability::register_read_only:
      return {true, "nothing needs to be registered on the host"};
    case Ability::stream_wait_word:
      return {true, "the executor's reactor looks at the word; no thread blocks"};
    case Ability::peer_copy:
      return {true, "all host devices share the machine's memory"};
    case Ability::dmabuf_export:
      return {false, "host memory is reached by its address; only accelerators export dma-bufs here"};
    case Ability::storage_peer_to_peer:
      return {false, "device memory is host memory here: there is no host memory to go around"};
    case Ability::trace_ranges:
      return {false, "NVTX ranges belong to the CUDA device"};
  }
  return {false, "unknown ability"};
}

Result<MemoryUse> Device::memory_use() const {
  GPUIO_ASSIGN(const SystemMemory memory, system_memory());
  return MemoryUse{memory.available_bytes, memory.total_bytes};
}

Result<std::byte*> Device::allocate(RegionKind kind, std::size_t bytes, const Placement& placement) {
  return memory_.allocate(kind, bytes, placement);
}

Status Device::free(RegionKind, std::byte* base, std::size_t bytes) { return memory_.free(base, bytes); }

Status Device::register_memory(std::byte* base, std::size_t bytes, spi::RegisterMode) {
  return memory_.register_range(base, bytes);
}

Status Device::unregister_memory(std::byte* base, std::size_t bytes) { return memory_.unregister_range(base, bytes); }

Result<spi::StreamHandle> Device::create_stream() {
  auto stream = std::make_shared<Stream>(executor_, *words_);
  std::lock_guard lock(mutex_);
  std::erase_if(destroyed_, [](const auto& destroyed) { return destroyed.expired(); });
  Stream* handle = stream.get();
  streams_.emplace(handle, std::move(stream));
  return spi::StreamHandle{handle};
}

Status Device::destroy_stream(spi::StreamHandle stream) {
  std::lock_guard lock(mutex_);
  const auto found = streams_.find(stream_of(stream));
  if (found == streams_.end()) return Status(Code::closed, "no such stream of this device");
  destroyed_.push_back(found->second);
  streams_.erase(found);
  return {};
}

Status Device::synchronize(spi::StreamHandle stream) {
  if (stream == nullptr) return null_handle("stream");
  if (stream_of(stream)->capturing()) {
    return Status(Code::invalid_argument, "a stream that is being captured can't be synchronised: nothing of it runs");
  }
  stream_of(stream)->synchronize();
  return {};
}

Result<bool> Device::capturing(spi::StreamHandle stream) {
  if (stream == nullptr) return null_handle("stream");
  return stream_of(stream)->capturing();
}

Result<spi::StreamHandle> Device::wrap_stream(void*) {
  return Status(Code::unsupported, "the host device has no streams but the library's own");
}

Result<spi::EventHandle> Device::create_event() { return spi::EventHandle{std::make_unique<Event>().release()}; }

Status Device::destroy_event(spi::EventHandle event) {
  if (event == nullptr) return null_handle("event");
  const std::unique_ptr<Event> gone(event_of(event));
  return {};
}

Status Device::record(spi::EventHandle event, spi::StreamHandle stream) {
  if (event == nullptr) return null_handle("event");
  if (stream == nullptr) return null_handle("stream");
  if (stream_of(stream)->capturing()) {
    event_of(event)->set({nullptr, stream});
    return {};
  }
  auto mark = std::make_shared<Mark>();
  event_of(event)->set({mark, nullptr});
  stream_of(stream)->push(RecordOperation{std::move(mark)});
  return {};
}

Status Device::wait(spi::StreamHandle stream, spi::EventHandle event) {
  if (event == nullptr) return null_handle("event");
  if (stream == nullptr) return null_handle("stream");
  const Event::State state = event_of(event)->get();
  const bool capturing = stream_of(stream)->capturing();
  if (state.captured_by != nullptr) {
    if (capturing && state.captured_by == stream) return {};  // Its own past.
    return Status(Code::unsupported,
                  "the event was recorded while another stream was captured; a capture of the host "
                  "device holds one stream");
  }
  if (state.mark == nullptr) return {};
  if (capturing) {
    return Status(Code::invalid_argument, "a stream that is being captured can't wait for an event from outside");
  }
  stream_of(stream)->push(WaitMarkOperation{state.mark});
  return {};
}

Result<bool> Device::finished(spi::EventHandle event) {
  if (event == nullptr) return null_handle("event");
  const Event::State state = event_of(event)->get();
  if (state.captured_by != nullptr) {
    return Status(Code::invalid_argument, "the event was recorded in a capture: it happens at every replay, or never");
  }
  return state.mark == nullptr || state.mark->reached();
}

Status Device::synchronize_event(spi::EventHandle event) {
  GPUIO_ASSIGN(const bool already, finished(event));
  if (already) return {};
  const std::shared_ptr<Mark> mark = event_of(event)->get().mark;
  if (mark != nullptr) executor_.wait(mark->word(), 0, spi::kNever);
  return {};
}

Status Device::begin_capture(spi::StreamHandle stream) {
  if (stream == nullptr) return null_handle("stream");
  return stream_of(stream)->begin_capture();
}

Result<spi::GraphHandle> Device::end_capture(spi::StreamHandle stream) {
  if (stream == nullptr) return null_handle("stream");
  GPUIO_ASSIGN(std::unique_ptr<Graph> graph, stream_of(stream)->end_capture());
  return spi::GraphHandle{graph.release()};
}

Status Device::launch_graph(spi::GraphHandle graph, spi::StreamHandle stream) {
  if (graph == nullptr) return null_handle("graph");
  if (stream == nullptr) return null_handle("stream");
  stream_of(stream)->push_all(*static_cast<const Graph*>(graph));
  return {};
}

Status Device::destroy_graph(spi::GraphHandle graph) {
  if (graph == nullptr) return null_handle("graph");
  const std::unique_ptr<Graph> gone(static_cast<Graph*>(graph));
  return {};
}

Status Device::copy(spi::StreamHandle stream, std::span<const spi::CopySegment> segments) {
  if (stream == nullptr) return null_handle("stream");
  for (const spi::CopySegment& segment : segments) {
    if (segment.bytes != 0 && (segment.source == nullptr || segment.destination == nullptr)) {
      return Status(Code::invalid_argument, "a copy from or to a null address").with("bytes", segment.bytes);
    }
  }
  auto list = std::make_shared<const CopyList>(segments);
  if (list->bytes() != 0) stream_of(stream)->push(CopyOperation{std::move(list)});
  return {};
}

Status Device::fill(spi::StreamHandle stream, std::byte* memory, std::byte value, std::size_t bytes) {
  if (stream == nullptr) return null_handle("stream");
  if (bytes == 0) return {};
  if (memory == nullptr) return Status(Code::invalid_argument, "a fill of a null address").with("bytes", bytes);
  stream_of(stream)->push(FillOperation{memory, value, bytes});
  return {};
}

Status Device::wait_word(spi::StreamHandle stream, const std::uint32_t* word, std::uint32_t value) {
  if (stream == nullptr) return null_handle("stream");
  if (word == nullptr) return Status(Code::invalid_argument, "waiting for a null word");
  stream_of(stream)->push(WaitWordOperation{word, value});
  return {};
}

Status Device::write_word(spi::StreamHandle stream, std::uint32_t* word, std::uint32_t value) {
  if (stream == nullptr) return null_handle("stream");
  if (word == nullptr) return Status(Code::invalid_argument, "writing a null word");
  stream_of(stream)->push(WriteWordOperation{word, value});
  return {};
}

Status Device::launch(spi::StreamHandle stream, spi::KernelId kernel, const void* arguments) {
  if (stream == nullptr) return null_handle("stream");
  const auto id = static_cast<std::size_t>(kernel);
  if (id >= kernels_.size() || kernels_[id].run == nullptr) {
    return Status(Code::invalid_argument, "the host device has no such kernel").with("kernel", id);
  }
  KernelOperation operation{&kernels_[id], {}};
  std::memcpy(operation.arguments.data(), arguments, kernels_[id].argument_bytes);
  stream_of(stream)->push(operation);
  return {};
}

Result<int> Device::export_dmabuf(std::byte*, std::size_t) {
  return Status(Code::unsupported, capability(Ability::dmabuf_export).reason);
}

}  // namespace gpuio::host
