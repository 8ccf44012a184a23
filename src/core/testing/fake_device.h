// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "core/spi/device.h"

namespace gpuio::core {

/// A device that has memory and nothing else, and keeps books: what is allocated, what is registered, whether ranges
/// overlapped or were given back wrongly. Failures are injected by setting the `fail_*` members. Thread-safe.
class FakeDevice final : public spi::Device {
 public:
  explicit FakeDevice(std::string name = "fake:0", bool host = false) : host_(host) { info_.name = std::move(name); }

  std::atomic<int> registrations_until_failure{-1};  ///< Counts down; at 0 registering fails, below never.
  std::atomic<Code> registration_failure{Code::resource_exhausted};
  std::atomic<bool> fail_unregister{false};
  std::atomic<bool> fail_free{false};
  std::atomic<bool> has_pinned{true};

  [[nodiscard]] std::size_t allocations() const {
    const std::lock_guard lock(mutex_);
    return allocated_.size();
  }
  [[nodiscard]] std::size_t registrations() const {
    const std::lock_guard lock(mutex_);
    return registered_.size();
  }
  [[nodiscard]] std::uint64_t registered_bytes() const {
    const std::lock_guard lock(mutex_);
    std::uint64_t bytes = 0;
    for (const auto& [base, range] : registered_) bytes += range.first;
    return bytes;
  }
  [[nodiscard]] std::size_t register_calls() const { return register_calls_; }
  /// Overlapping registrations, and frees and unregistrations of what was not there. A correct caller keeps it at 0.
  [[nodiscard]] std::size_t mistakes() const { return mistakes_; }
  [[nodiscard]] Placement last_placement() const {
    const std::lock_guard lock(mutex_);
    return last_placement_;
  }

  const DeviceInfo& info() const noexcept override { return info_; }
  bool memory_is_host() const noexcept override { return host_; }
  Result<MemoryUse> memory_use() const override { return MemoryUse{}; }

  Capability capability(Ability ability) const override {
    switch (ability) {
      case Ability::pinned_regions:
        return has_pinned ? Capability{true, ""} : Capability{false, "the fake has none"};
      case Ability::mapped_regions:
        return {false, "the fake maps nothing"};
      default:
        return {true, ""};
    }
  }

  Result<std::byte*> allocate(RegionKind kind, std::size_t bytes, const Placement& placement) override {
    void* const memory = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (memory == nullptr) return Status(Code::out_of_memory, "no memory");
    const std::lock_guard lock(mutex_);
    allocated_[static_cast<std::byte*>(memory)] = {bytes, kind};
    last_placement_ = placement;
    return static_cast<std::byte*>(memory);
  }

  Status free(RegionKind kind, std::byte* base, std::size_t bytes) override {
    const std::lock_guard lock(mutex_);
    const auto found = allocated_.find(base);
    if (found == allocated_.end() || found->second != std::pair(bytes, kind)) {
      ++mistakes_;
      return Status(Code::invalid_argument, "not allocated here");
    }
    allocated_.erase(found);
    std::free(base);
    return fail_free ? Status(Code::device_error, "free failed") : Status();
  }

  Status register_memory(std::byte* base, std::size_t bytes, spi::RegisterMode mode) override {
    const std::lock_guard lock(mutex_);
    ++register_calls_;
    if (registrations_until_failure >= 0 && registrations_until_failure-- == 0) {
      return Status(registration_failure.load(), "registering failed");
    }
    const auto after = registered_.lower_bound(base);
    const bool into_next = after != registered_.end() && after->first < base + bytes;
    const bool into_previous = after != registered_.begin() && previous_end(after) > base;
    if (into_next || into_previous) {
      ++mistakes_;
      return Status(Code::invalid_argument, "already registered");
    }
    registered_[base] = {bytes, mode};
    return {};
  }

  Status unregister_memory(std::byte* base, std::size_t bytes) override {
    const std::lock_guard lock(mutex_);
    const auto found = registered_.find(base);
    if (found == registered_.end() || found->second.first != bytes) {
      ++mistakes_;
      return Status(Code::invalid_argument, "not registered");
    }
    registered_.erase(found);
    return fail_unregister ? Status(Code::device_lost, "unregister failed") : Status();
  }

  [[nodiscard]] bool registered_read_only(const std::byte* base) const {
    const std::lock_guard lock(mutex_);
    const auto found = registered_.find(const_cast<std::byte*>(base));
    return found != registered_.end() && found->second.second == spi::RegisterMode::read_only;
  }

  Result<spi::StreamHandle> create_stream() override { return none(); }
  Status destroy_stream(spi::StreamHandle) override { return none(); }
  Status synchronize(spi::StreamHandle) override { return none(); }
  Result<bool> capturing(spi::StreamHandle) override { return none(); }
  void* native(spi::StreamHandle) const noexcept override { return nullptr; }
  Result<spi::StreamHandle> wrap_stream(void*) override { return none(); }
  Result<spi::EventHandle> create_event() override { return none(); }
  Status destroy_event(spi::EventHandle) override { return none(); }
  Status record(spi::EventHandle, spi::StreamHandle) override { return none(); }
  Status wait(spi::StreamHandle, spi::EventHandle) override { return none(); }
  Result<bool> finished(spi::EventHandle) override { return none(); }
  Status synchronize_event(spi::EventHandle) override { return none(); }
  Status begin_capture(spi::StreamHandle) override { return none(); }
  Result<spi::GraphHandle> end_capture(spi::StreamHandle) override { return none(); }
  Status launch_graph(spi::GraphHandle, spi::StreamHandle) override { return none(); }
  Status destroy_graph(spi::GraphHandle) override { return none(); }
  Status copy(spi::StreamHandle, std::span<const spi::CopySegment>) override { return none(); }
  Status fill(spi::StreamHandle, std::byte*, std::byte, std::size_t) override { return none(); }
  Status wait_word(spi::StreamHandle, const std::uint32_t*, std::uint32_t) override { return none(); }
  Status write_word(spi::StreamHandle, std::uint32_t*, std::uint32_t) override { return none(); }
  Status launch(spi::StreamHandle, spi::KernelId, const void*) override { return none(); }
  Result<int> export_dmabuf(std::byte*, std::size_t) override { return none(); }

 private:
  using Ranges = std::map<std::byte*, std::pair<std::size_t, spi::RegisterMode>>;

  static Status none() { return Status(Code::unsupported, "the fake has memory only"); }
  static std::byte* previous_end(Ranges::const_iterator at) {
    --at;
    return at->first + at->second.first;
  }

  DeviceInfo info_;
  const bool host_;
  mutable std::mutex mutex_;
  std::map<std::byte*, std::pair<std::size_t, RegionKind>> allocated_;
  Ranges registered_;
  std::atomic<std::size_t> register_calls_{0};
  std::atomic<std::size_t> mistakes_{0};
  Placement last_placement_;
};

}  // namespace gpuio::core
