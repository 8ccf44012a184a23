// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/unique_fd.h"
#include "core/spi/forwarding_device.h"
#include "core/spi/memory_exporter.h"
#include "support/wrapping_driver.h"

namespace gpuio::tests {

/// The host device posing as an accelerator whose memory other processes reach by handles, as CUDA's do: a handle is
/// good while the process that made it lives, and is refused in that process itself.
class HandleDevice final : public spi::ForwardingDevice, public spi::MemoryExporter {
 public:
  HandleDevice(std::unique_ptr<spi::Device> inner, std::string bus_id)
      : ForwardingDevice(std::move(inner)), info_(inner_->info()) {
    info_.name = "handle:0";
    info_.bus_id = std::move(bus_id);
  }

  const DeviceInfo& info() const noexcept override { return info_; }
  bool memory_is_host() const noexcept override { return false; }

  Result<std::byte*> allocate(RegionKind kind, std::size_t bytes, const Placement& placement) override {
    if (kind != RegionKind::device) return inner_->allocate(kind, bytes, placement);
    base::UniqueFd file(::memfd_create("gpuio-test", MFD_CLOEXEC));
    if (!file || ::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0)
      return Status(Code::out_of_memory, "no memory");
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (memory == MAP_FAILED) return Status(Code::out_of_memory, "no memory");
    const std::lock_guard lock(mutex_);
    allocated_.emplace(static_cast<std::byte*>(memory), std::pair(bytes, std::move(file)));
    return static_cast<std::byte*>(memory);
  }

  Status free(RegionKind kind, std::byte* base, std::size_t bytes) override {
    if (kind != RegionKind::device) return inner_->free(kind, base, bytes);
    ::munmap(base, bytes);
    const std::lock_guard lock(mutex_);
    allocated_.erase(base);
    return {};
  }

  Result<spi::MemoryHandle> export_memory(std::byte* base, std::size_t bytes) override {
    const std::lock_guard lock(mutex_);
    auto found = allocated_.upper_bound(base);
    if (found == allocated_.begin()) return Status(Code::invalid_argument, "not allocated here");
    --found;
    const auto offset = static_cast<std::uint64_t>(base - found->first);
    if (offset + bytes > found->second.first) return Status(Code::invalid_argument, "not allocated here");
    return encode({::getpid(), found->second.second.get(), offset});
  }

  Result<std::byte*> import_memory(const spi::MemoryHandle& opaque, std::size_t bytes) override {
    Handle handle{};
    std::memcpy(&handle, opaque.data(), sizeof handle);
    if (handle.process == ::getpid()) return Status(Code::invalid_argument, "made by this process itself");
    const std::string path = "/proc/" + std::to_string(handle.process) + "/fd/" + std::to_string(handle.file);
    const base::UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!file) return Status(Code::stale, "the handle's process is gone");
    // Any byte may be the first: the mapping starts with the allocation.
    void* const memory = ::mmap(nullptr, handle.offset + bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (memory == MAP_FAILED) return Status(Code::out_of_memory, "can't map it");
    const std::lock_guard lock(mutex_);
    std::byte* const base = static_cast<std::byte*>(memory) + handle.offset;
    imported_[base] = {memory, handle.offset + bytes};
    return base;
  }

  Status release_imported(std::byte* base, std::size_t) override {
    const std::lock_guard lock(mutex_);
    const auto found = imported_.find(base);
    if (found == imported_.end()) return Status(Code::invalid_argument, "not imported here");
    ::munmap(found->second.first, found->second.second);
    imported_.erase(found);
    return {};
  }

 private:
  struct Handle {
    std::int32_t process;
    std::int32_t file;
    std::uint64_t offset;
  };

  static spi::MemoryHandle encode(const Handle& handle) {
    spi::MemoryHandle opaque{};
    std::memcpy(opaque.data(), &handle, sizeof handle);
    return opaque;
  }

  DeviceInfo info_;
  std::mutex mutex_;
  std::map<std::byte*, std::pair<std::size_t, base::UniqueFd>> allocated_;
  std::map<std::byte*, std::pair<void*, std::size_t>> imported_;
};

/// Opens the first device of another driver as "handle:0".
class HandleDriver final : public WrappingDriver<HandleDevice, std::string> {
 public:
  using WrappingDriver::WrappingDriver;
  [[nodiscard]] std::string_view family() const noexcept override { return "handle"; }
  [[nodiscard]] Result<int> count() override { return 1; }
  [[nodiscard]] std::string name(int) const override { return "handle:0"; }
};

}  // namespace gpuio::tests
