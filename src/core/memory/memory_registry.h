// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "core/spi/device.h"
#include "gpuio/result.hpp"

namespace gpuio::core {

class MemoryRegistry;

/// A range's registration with a device: undone when the last Registration of it goes. Movable, not copyable.
class Registration {
 public:
  Registration() = default;
  Registration(Registration&& other) noexcept { *this = std::move(other); }
  Registration& operator=(Registration&& other) noexcept;
  ~Registration();

  [[nodiscard]] explicit operator bool() const noexcept { return registry_ != nullptr; }

 private:
  friend class MemoryRegistry;
  using Key = std::pair<std::string, std::uintptr_t>;  // Device name, first address of the registered range.
  Registration(MemoryRegistry* registry, Key key) : registry_(registry), key_(std::move(key)) {}

  MemoryRegistry* registry_ = nullptr;
  Key key_;
};

/// What a process has once, however many Contexts it has: generations of Regions, and which host memory is registered
/// with which device. Drivers refuse to register a range twice; here the second user shares the first one's
/// registration.
///
/// Devices are told apart by name, as the hardware behind a name is one. Registering takes the driver milliseconds and
/// is never done under the lock: whoever meets a range that another thread is registering gets `busy`, retryable.
/// Thread safety: all members, any thread.
class MemoryRegistry {
 public:
  /// The one of this process; never destroyed, so that static objects may hold Regions.
  static MemoryRegistry& process();

  MemoryRegistry() = default;
  MemoryRegistry(const MemoryRegistry&) = delete;
  MemoryRegistry& operator=(const MemoryRegistry&) = delete;

  /// A generation that no Region of this process has had; never 0.
  [[nodiscard]] std::uint64_t next_generation() noexcept { return generation_.fetch_add(1, std::memory_order_relaxed); }

  /// Registers [base, base + bytes) with `device`, or shares a registration that covers it with at least the access of
  /// `mode`. Fails with `busy` if it overlaps one that doesn't; else as spi::Device::register_memory.
  [[nodiscard]] Result<Registration> add(const std::shared_ptr<spi::Device>& device, std::byte* base, std::size_t bytes,
                                         spi::RegisterMode mode);

  /// True if one registration with the device of that name covers all of the range.
  [[nodiscard]] bool covers(std::string_view device_name, const std::byte* base, std::size_t bytes) const;

  /// Bytes registered now, with all devices together.
  [[nodiscard]] std::uint64_t registered_bytes() const;

 private:
  friend class Registration;
  struct Entry {
    std::size_t bytes = 0;
    spi::RegisterMode mode = spi::RegisterMode::read_write;
    std::shared_ptr<spi::Device> device;
    std::uint32_t users = 0;  // 0: on its way in or out, outside the lock.
  };
  using Entries = std::map<Registration::Key, Entry>;

  void release(const Registration::Key& key) noexcept;
  [[nodiscard]] Entries::const_iterator overlapping(std::string_view device, std::uintptr_t base,
                                                    std::size_t bytes) const;

  std::atomic<std::uint64_t> generation_{1};
  mutable std::mutex mutex_;
  Entries entries_;
};

}  // namespace gpuio::core
