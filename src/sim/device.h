// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/spi/device.h"
#include "core/spi/executor.h"
#include "core/spi/forwarding_device.h"
#include "sim/fate.h"

namespace gpuio::sim {

/// Holds streams back: gives words that a stream waits for and raises each when its time has come. Thread safety: all
/// members.
class Delays final : public spi::Pollable {
 public:
  explicit Delays(spi::Executor& executor) : executor_(executor) { executor_.attach(*this); }
  ~Delays();
  Delays(const Delays&) = delete;
  Delays& operator=(const Delays&) = delete;

  /// A word that becomes 1 in `delay_ns`; it stays where it is as long as this lives.
  [[nodiscard]] const std::uint32_t* add(std::uint64_t delay_ns);
  std::uint64_t poll(std::uint64_t now_ns) override;

 private:
  spi::Executor& executor_;
  std::mutex mutex_;
  std::deque<std::uint32_t> words_;
  std::multimap<std::uint64_t, std::uint32_t*> due_;
};

/// What simulated devices have given out and not got back: all zero at the end, or something leaks.
struct Ledger {
  std::atomic<std::uint64_t> memory_bytes{0};
  std::atomic<std::uint64_t> registered_bytes{0};
  std::atomic<std::uint64_t> streams{0};
  std::atomic<std::uint64_t> events{0};
};

struct DeviceModel {
  bool memory_is_host = true;  ///< False: poses as an accelerator whose memory host code can't reach.
  std::uint64_t slow_ns = 500'000;
  std::uint64_t stuck_ns = 200'000'000;
};

/// Another device with faults in its way: late streams, calls that fail, work that does not happen, a device that is
/// gone. Giving back always works, so that what is left in the ledger is a leak. Thread safety: as spi::Device.
class Device final : public spi::ForwardingDevice {
 public:
  Device(std::unique_ptr<spi::Device> inner, std::shared_ptr<Fate> fate, std::shared_ptr<Delays> delays,
         std::shared_ptr<Ledger> ledger, const DeviceModel& model);

  bool memory_is_host() const noexcept override { return model_.memory_is_host; }

  Result<std::byte*> allocate(RegionKind kind, std::size_t bytes, const Placement& placement) override;
  Status free(RegionKind kind, std::byte* base, std::size_t bytes) override;
  Status register_memory(std::byte* base, std::size_t bytes, spi::RegisterMode mode) override;
  Status unregister_memory(std::byte* base, std::size_t bytes) override;

  Result<spi::StreamHandle> create_stream() override;
  Status destroy_stream(spi::StreamHandle stream) override;

  Result<spi::EventHandle> create_event() override;
  Status destroy_event(spi::EventHandle event) override;
  Status record(spi::EventHandle event, spi::StreamHandle stream) override;
  Result<bool> finished(spi::EventHandle event) override;

  Status copy(spi::StreamHandle stream, std::span<const spi::CopySegment> segments) override;
  Status wait_word(spi::StreamHandle stream, const std::uint32_t* word, std::uint32_t value) override;
  Status launch(spi::StreamHandle stream, spi::KernelId kernel, const void* arguments) override;

 private:
  /// ok, or why a call that queues work fails; may make the stream late.
  [[nodiscard]] Status before_work(spi::StreamHandle stream);
  /// True if the work is not to happen; the stream's next event will say so.
  [[nodiscard]] bool drops_work(spi::StreamHandle stream);
  [[nodiscard]] Status lost() const;

  const std::shared_ptr<Fate> fate_;
  const std::shared_ptr<Delays> delays_;
  const std::shared_ptr<Ledger> ledger_;
  const DeviceModel model_;
  mutable std::mutex mutex_;  ///< Guards what follows.
  bool lost_ = false;
  std::set<spi::StreamHandle> failed_streams_;  ///< Since their last event.
  std::set<spi::EventHandle> failed_events_;
};

/// Wraps each device of another driver; `models[i]` is the i-th one's, the last holds for those beyond.
class Driver final : public spi::DeviceDriver {
 public:
  Driver(std::unique_ptr<spi::DeviceDriver> inner, std::shared_ptr<Fate> fate, spi::Executor& executor,
         std::shared_ptr<Ledger> ledger, std::vector<DeviceModel> models);

  [[nodiscard]] std::string_view family() const noexcept override { return inner_->family(); }
  [[nodiscard]] Result<int> count() override { return inner_->count(); }
  [[nodiscard]] std::string name(int ordinal) const override { return inner_->name(ordinal); }
  [[nodiscard]] Result<std::unique_ptr<spi::Device>> open(int ordinal) override;

 private:
  const std::unique_ptr<spi::DeviceDriver> inner_;
  const std::shared_ptr<Fate> fate_;
  const std::shared_ptr<Delays> delays_;
  const std::shared_ptr<Ledger> ledger_;
  const std::vector<DeviceModel> models_;
};

}  // namespace gpuio::sim
