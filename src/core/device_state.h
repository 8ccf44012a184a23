// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/memory/slab_ring.h"
#include "core/spi/device.h"

namespace gpuio::core {

class DeviceState;

/// A stream of a device. Owned ones are destroyed with the last reference.
class StreamState {
 public:
  StreamState(std::shared_ptr<spi::Device> device, spi::StreamHandle handle, bool owned);
  ~StreamState();
  StreamState(const StreamState&) = delete;
  StreamState& operator=(const StreamState&) = delete;

  [[nodiscard]] spi::Device& device() const noexcept { return *device_; }
  [[nodiscard]] const std::shared_ptr<spi::Device>& device_pointer() const noexcept { return device_; }
  [[nodiscard]] spi::StreamHandle handle() const noexcept { return handle_; }

 private:
  std::shared_ptr<spi::Device> device_;
  spi::StreamHandle handle_;
  bool owned_;
};

/// An event of a device, from when it was recorded.
class EventState {
 public:
  EventState(std::shared_ptr<spi::Device> device, spi::EventHandle handle);
  ~EventState();
  EventState(const EventState&) = delete;
  EventState& operator=(const EventState&) = delete;

  [[nodiscard]] spi::Device& device() const noexcept { return *device_; }
  [[nodiscard]] spi::EventHandle handle() const noexcept { return handle_; }

 private:
  std::shared_ptr<spi::Device> device_;
  spi::EventHandle handle_;
};

class GraphState {
 public:
  GraphState(std::shared_ptr<spi::Device> device, spi::GraphHandle handle);
  ~GraphState();
  GraphState(const GraphState&) = delete;
  GraphState& operator=(const GraphState&) = delete;

  [[nodiscard]] spi::Device& device() const noexcept { return *device_; }
  [[nodiscard]] spi::GraphHandle handle() const noexcept { return handle_; }

 private:
  std::shared_ptr<spi::Device> device_;
  spi::GraphHandle handle_;
};

/// A word that a stream waits for: the host raises it when a Request's bytes are in place.
struct StreamGate {
  std::uint32_t* word = nullptr;
  std::uint32_t value = 0;
};

/// Words in pinned memory, each used again and again with rising values. Thread-safe.
class GatePool {
 public:
  explicit GatePool(std::shared_ptr<spi::Device> device) : device_(std::move(device)) {}
  ~GatePool();
  GatePool(const GatePool&) = delete;
  GatePool& operator=(const GatePool&) = delete;

  /// Has words ready, so that the next `take` pins no memory.
  [[nodiscard]] Status prepare();
  [[nodiscard]] Result<StreamGate> take();
  /// Raises the gate's word, which lets the stream pass, and keeps the word for the next Request.
  void open(const StreamGate& gate);

 private:
  [[nodiscard]] Status add_page();

  std::shared_ptr<spi::Device> device_;
  std::mutex mutex_;
  std::vector<std::byte*> pages_;
  std::vector<StreamGate> free_;  ///< Each with the value it was last raised to.
};

/// What the bytes of a run share with those of others on their way to or from a device: slabs and streams.
enum class Lane : std::uint8_t {
  bulk,
  urgent,
  unassisted,  ///< Nothing here ever waits for a kernel.
};

/// The slabs of unassisted Requests: one block, pinned when the device is opened, for what others hold may come back
/// only after kernels have run. Of the context's budget, for good.
class OwnSlabs {
 public:
  /// `shared` has reserved `slab_bytes` for it.
  OwnSlabs(std::shared_ptr<spi::Device> device, SlabRingGroup& shared, std::uint32_t slab_bytes);
  ~OwnSlabs() { shared_.unreserve(budget_.limit()); }
  OwnSlabs(const OwnSlabs&) = delete;
  OwnSlabs& operator=(const OwnSlabs&) = delete;
  /// Maps and registers them; what fails here is tried again when a Request needs one.
  void pin();
  [[nodiscard]] SlabRing& ring() noexcept { return ring_; }

 private:
  SlabRingGroup& shared_;
  PinnedBudget budget_;
  SlabRingGroup group_;
  SlabRing ring_;
};

/// A device of one Context: the driver's Device, its streams for transfers and its words for stream order.
class DeviceState {
 public:
  DeviceState(std::shared_ptr<spi::Device> device, std::unique_ptr<SlabRing> ring, std::uint16_t statistics_id);
  ~DeviceState();
  DeviceState(const DeviceState&) = delete;
  DeviceState& operator=(const DeviceState&) = delete;

  /// Makes the transfer streams, and on an accelerator all that unassisted Requests need; on failure the device can't
  /// be used.
  [[nodiscard]] Status start();

  [[nodiscard]] spi::Device& device() const noexcept { return *device_; }
  [[nodiscard]] const std::shared_ptr<spi::Device>& pointer() const noexcept { return device_; }
  [[nodiscard]] std::uint16_t statistics_id() const noexcept { return statistics_id_; }
  /// Where a device's memory is the host's, no kernel of anybody's holds a slab, and one ring serves all; so it does
  /// where the budget is too small for more. Reactor only.
  [[nodiscard]] SlabRing& ring(Lane lane) noexcept {
    return lane == Lane::unassisted && own_slabs_ != nullptr ? own_slabs_->ring() : *ring_;
  }
  [[nodiscard]] GatePool& gates() noexcept { return gates_; }

  /// Streams for bytes on their way: two each way taken in turn, so that one copy's start hides behind another's bytes;
  /// urgent ones have a stream of their own, and so have unassisted ones each way. Reactor only.
  [[nodiscard]] spi::StreamHandle transfer_stream(bool to_device, Lane lane) noexcept;

  /// Events, used again and again. Any thread.
  [[nodiscard]] Result<spi::EventHandle> take_event();
  void give_event(spi::EventHandle event);

 private:
  static constexpr std::size_t kStreamsPerDirection = 2;

  [[nodiscard]] Status start_unassisted();

  std::shared_ptr<spi::Device> device_;
  std::unique_ptr<SlabRing> ring_;
  std::uint16_t statistics_id_;
  GatePool gates_;
  spi::StreamHandle to_device_[kStreamsPerDirection] = {};
  spi::StreamHandle from_device_[kStreamsPerDirection] = {};
  spi::StreamHandle urgent_ = nullptr;
  spi::StreamHandle own_to_device_ = nullptr;  ///< Of unassisted Requests, as is own_from_device_.
  spi::StreamHandle own_from_device_ = nullptr;
  std::unique_ptr<OwnSlabs> own_slabs_;
  unsigned turn_ = 0;
  std::mutex events_mutex_;
  std::vector<spi::EventHandle> events_;
};

}  // namespace gpuio::core
