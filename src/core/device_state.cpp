// SPDX-License-Identifier: Apache-2.0
#include "core/device_state.h"

#include <algorithm>
#include <atomic>
#include <string_view>

#include "base/log.h"
#include "base/try.h"

namespace gpuio::core {
namespace {

constexpr std::size_t kGatePageBytes = 4096;

/// Unassisted Requests: slabs of 256 KiB, 32 of them, keep storage and the link busy; more would be pinned in vain.
constexpr std::uint32_t kOwnBytesMax = 8U << 20U;

/// One for each of those slabs and for a Request on each of many streams.
constexpr std::size_t kEventsAhead = 128;

/// Destructors can't report: what a driver says there goes to the log.
void log_failure(const Status& status, std::string_view what) {
  if (!status.ok()) GPUIO_LOG(warn, "core", std::string(what) + ": " + status.to_string());
}

}  // namespace

StreamState::StreamState(std::shared_ptr<spi::Device> device, spi::StreamHandle handle, bool owned)
    : device_(std::move(device)), handle_(handle), owned_(owned) {}

StreamState::~StreamState() {
  if (owned_) log_failure(device_->destroy_stream(handle_), "destroying a stream");
}

EventState::EventState(std::shared_ptr<spi::Device> device, spi::EventHandle handle)
    : device_(std::move(device)), handle_(handle) {}

EventState::~EventState() { log_failure(device_->destroy_event(handle_), "destroying an event"); }

GraphState::GraphState(std::shared_ptr<spi::Device> device, spi::GraphHandle handle)
    : device_(std::move(device)), handle_(handle) {}

GraphState::~GraphState() { log_failure(device_->destroy_graph(handle_), "destroying a graph"); }

GatePool::~GatePool() {
  for (std::byte* page : pages_)
    log_failure(device_->free(RegionKind::pinned, page, kGatePageBytes), "freeing gate words");
}

Status GatePool::add_page() {
  GPUIO_ASSIGN(std::byte * page, device_->allocate(RegionKind::pinned, kGatePageBytes, Placement::local()));
  pages_.push_back(page);
  auto* words = reinterpret_cast<std::uint32_t*>(page);
  for (std::size_t i = 0; i < kGatePageBytes / sizeof(std::uint32_t); ++i) {
    words[i] = 0;
    free_.push_back({words + i, 0});
  }
  return {};
}

Status GatePool::prepare() {
  const std::lock_guard lock(mutex_);
  return free_.empty() ? add_page() : Status();
}

Result<StreamGate> GatePool::take() {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) GPUIO_TRY(add_page());
  StreamGate gate = free_.back();
  free_.pop_back();
  ++gate.value;
  return gate;
}

void GatePool::open(const StreamGate& gate) {
  std::atomic_ref<std::uint32_t>(*gate.word).store(gate.value, std::memory_order_release);
  const std::lock_guard lock(mutex_);
  free_.push_back(gate);
}

OwnSlabs::OwnSlabs(std::shared_ptr<spi::Device> device, SlabRingGroup& shared, std::uint32_t slab_bytes)
    : shared_(shared),
      budget_(slab_bytes),
      group_(budget_),
      ring_(std::move(device), group_, {.slab_bytes = slab_bytes}) {}

void OwnSlabs::pin() {
  if (Slab* slab = ring_.acquire(SlabClass::small, true); slab != nullptr) return ring_.release(slab);
  log_failure(ring_.status(SlabClass::small), "pinning slabs for unassisted Requests");
}

DeviceState::DeviceState(std::shared_ptr<spi::Device> device, std::unique_ptr<SlabRing> ring,
                         std::uint16_t statistics_id)
    : device_(std::move(device)), ring_(std::move(ring)), statistics_id_(statistics_id), gates_(device_) {}

DeviceState::~DeviceState() {
  for (auto* streams : {&to_device_, &from_device_}) {
    for (spi::StreamHandle stream : *streams) {
      if (stream != nullptr) log_failure(device_->destroy_stream(stream), "destroying a stream");
    }
  }
  for (spi::StreamHandle stream : {urgent_, own_to_device_, own_from_device_}) {
    if (stream != nullptr) log_failure(device_->destroy_stream(stream), "destroying a stream");
  }
  for (spi::EventHandle event : events_) log_failure(device_->destroy_event(event), "destroying an event");
}

Status DeviceState::start() {
  for (auto* streams : {&to_device_, &from_device_}) {
    for (spi::StreamHandle& stream : *streams) {
      GPUIO_ASSIGN(stream, device_->create_stream());
    }
  }
  GPUIO_ASSIGN(urgent_, device_->create_stream());
  return device_->memory_is_host() ? Status() : start_unassisted();
}

Status DeviceState::start_unassisted() {
  GPUIO_ASSIGN(own_to_device_, device_->create_urgent_stream());
  GPUIO_ASSIGN(own_from_device_, device_->create_urgent_stream());
  while (events_.size() < kEventsAhead) {
    const Result<spi::EventHandle> event = device_->create_event();
    if (!event) break;  // what is missing is made, or fails, when it is needed
    events_.push_back(*event);
  }
  if (device_->capability(Ability::stream_wait_word)) log_failure(gates_.prepare(), "pinning words for streams");
  const std::uint32_t own_bytes = std::min(ring_->slab_bytes(), kOwnBytesMax);
  if (!ring_->group().reserve(own_bytes)) {
    GPUIO_LOG(info, "core", "unassisted Requests share the slabs of others: memory.pinned_budget_bytes is small");
    return {};
  }
  own_slabs_ = std::make_unique<OwnSlabs>(device_, ring_->group(), own_bytes);
  own_slabs_->pin();
  return {};
}

spi::StreamHandle DeviceState::transfer_stream(bool to_device, Lane lane) noexcept {
  if (lane == Lane::unassisted && own_to_device_ != nullptr) return to_device ? own_to_device_ : own_from_device_;
  if (lane != Lane::bulk) return urgent_;
  return (to_device ? to_device_ : from_device_)[turn_++ % kStreamsPerDirection];
}

Result<spi::EventHandle> DeviceState::take_event() {
  {
    const std::lock_guard lock(events_mutex_);
    if (!events_.empty()) {
      spi::EventHandle event = events_.back();
      events_.pop_back();
      return event;
    }
  }
  return device_->create_event();
}

void DeviceState::give_event(spi::EventHandle event) {
  const std::lock_guard lock(events_mutex_);
  events_.push_back(event);
}

}  // namespace gpuio::core
