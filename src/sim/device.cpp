// SPDX-License-Identifier: Apache-2.0
#include "sim/device.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/try.h"

namespace gpuio::sim {
namespace {

Status failed(std::string message) {
  return Status(Code::device_error, std::move(message)).with_scope(FailureScope::device);
}

}  // namespace

Delays::~Delays() { executor_.detach(*this); }

const std::uint32_t* Delays::add(std::uint64_t delay_ns) {
  const std::lock_guard lock(mutex_);
  words_.push_back(0);
  due_.emplace(executor_.clock().now_ns() + delay_ns, &words_.back());
  executor_.wake();
  return &words_.back();
}

std::uint64_t Delays::poll(std::uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  while (!due_.empty() && due_.begin()->first <= now_ns) {
    std::atomic_ref<std::uint32_t>(*due_.begin()->second).store(1, std::memory_order_release);
    due_.erase(due_.begin());
  }
  return due_.empty() ? spi::kNever : due_.begin()->first;
}

Device::Device(std::unique_ptr<spi::Device> inner, std::shared_ptr<Fate> fate, std::shared_ptr<Delays> delays,
               std::shared_ptr<Ledger> ledger, const DeviceModel& model)
    : spi::ForwardingDevice(std::move(inner)),
      fate_(std::move(fate)),
      delays_(std::move(delays)),
      ledger_(std::move(ledger)),
      model_(model) {}

Status Device::lost() const {
  const std::lock_guard lock(mutex_);
  if (!lost_) return {};
  return Status(Code::device_lost, "the simulated device is gone").with_scope(FailureScope::device);
}

Result<std::byte*> Device::allocate(RegionKind kind, std::size_t bytes, const Placement& placement) {
  GPUIO_TRY(lost());
  if (fate_->strikes(Fault::allocation_failed)) {
    return Status(Code::out_of_memory, "no memory left on the simulated device").with("bytes", bytes);
  }
  GPUIO_ASSIGN(std::byte * base, inner_->allocate(kind, bytes, placement));
  ledger_->memory_bytes += bytes;
  return base;
}

Status Device::free(RegionKind kind, std::byte* base, std::size_t bytes) {
  ledger_->memory_bytes -= bytes;
  return inner_->free(kind, base, bytes);
}

Status Device::register_memory(std::byte* base, std::size_t bytes, spi::RegisterMode mode) {
  GPUIO_TRY(lost());
  if (fate_->strikes(Fault::registration_failed)) {
    return Status(Code::resource_exhausted, "the simulated device registers no more").with("bytes", bytes);
  }
  GPUIO_TRY(inner_->register_memory(base, bytes, mode));
  ledger_->registered_bytes += bytes;
  return {};
}

Status Device::unregister_memory(std::byte* base, std::size_t bytes) {
  ledger_->registered_bytes -= bytes;
  return inner_->unregister_memory(base, bytes);
}

Result<spi::StreamHandle> Device::create_stream() {
  GPUIO_TRY(lost());
  GPUIO_ASSIGN(spi::StreamHandle stream, inner_->create_stream());
  ++ledger_->streams;
  return stream;
}

Status Device::destroy_stream(spi::StreamHandle stream) {
  --ledger_->streams;
  return inner_->destroy_stream(stream);
}

Result<spi::EventHandle> Device::create_event() {
  GPUIO_TRY(lost());
  if (fate_->strikes(Fault::device_rejected)) return failed("no more events");
  GPUIO_ASSIGN(spi::EventHandle event, inner_->create_event());
  ++ledger_->events;
  return event;
}

Status Device::destroy_event(spi::EventHandle event) {
  {
    const std::lock_guard lock(mutex_);
    failed_events_.erase(event);
  }
  --ledger_->events;
  return inner_->destroy_event(event);
}

Status Device::record(spi::EventHandle event, spi::StreamHandle stream) {
  GPUIO_TRY(lost());
  GPUIO_TRY(inner_->record(event, stream));
  const std::lock_guard lock(mutex_);
  failed_events_.erase(event);
  if (failed_streams_.erase(stream) != 0) failed_events_.insert(event);
  return {};
}

Result<bool> Device::finished(spi::EventHandle event) {
  GPUIO_ASSIGN(const bool finished, inner_->finished(event));
  if (!finished) return false;
  GPUIO_TRY(lost());
  const std::lock_guard lock(mutex_);
  if (failed_events_.contains(event)) return failed("the work before this event failed");
  return true;
}

Status Device::before_work(spi::StreamHandle stream) {
  if (fate_->strikes(Fault::device_lost)) {
    const std::lock_guard lock(mutex_);
    lost_ = true;
  }
  GPUIO_TRY(lost());
  if (fate_->strikes(Fault::device_rejected)) return failed("the simulated device refuses");
  const bool slow = fate_->strikes(Fault::device_slow);
  const bool stuck = fate_->strikes(Fault::device_stuck);
  if (!slow && !stuck) return {};
  return inner_->wait_word(stream, delays_->add(stuck ? model_.stuck_ns : fate_->uniform(model_.slow_ns)), 1);
}

bool Device::drops_work(spi::StreamHandle stream) {
  if (!fate_->strikes(Fault::device_failed)) return false;
  const std::lock_guard lock(mutex_);
  failed_streams_.insert(stream);
  return true;
}

Status Device::copy(spi::StreamHandle stream, std::span<const spi::CopySegment> segments) {
  GPUIO_TRY(before_work(stream));
  if (drops_work(stream)) segments = segments.first(fate_->uniform(segments.size() + 1));
  return inner_->copy(stream, segments);
}

Status Device::launch(spi::StreamHandle stream, spi::KernelId kernel, const void* arguments) {
  GPUIO_TRY(before_work(stream));
  if (drops_work(stream)) return {};
  return inner_->launch(stream, kernel, arguments);
}

Status Device::wait_word(spi::StreamHandle stream, const std::uint32_t* word, std::uint32_t value) {
  GPUIO_TRY(lost());
  if (fate_->strikes(Fault::device_rejected)) return failed("the simulated device refuses to wait");
  return inner_->wait_word(stream, word, value);
}

Driver::Driver(std::unique_ptr<spi::DeviceDriver> inner, std::shared_ptr<Fate> fate, spi::Executor& executor,
               std::shared_ptr<Ledger> ledger, std::vector<DeviceModel> models)
    : inner_(std::move(inner)),
      fate_(std::move(fate)),
      delays_(std::make_shared<Delays>(executor)),
      ledger_(std::move(ledger)),
      models_(std::move(models)) {}

Result<std::unique_ptr<spi::Device>> Driver::open(int ordinal) {
  GPUIO_ASSIGN(std::unique_ptr<spi::Device> opened, inner_->open(ordinal));
  const std::size_t model = std::min(static_cast<std::size_t>(ordinal), models_.size() - 1);
  return std::unique_ptr<spi::Device>(
      std::make_unique<Device>(std::move(opened), fate_, delays_, ledger_, models_[model]));
}

}  // namespace gpuio::sim
