// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/try.h"
#include "device/cuda/device.h"

// A CUDA device's memory in the hands of other processes.
namespace gpuio::cuda {
namespace {

/// What a spi::MemoryHandle of ours holds.
struct Handle {
  unsigned char cuda[64];
  std::uint64_t offset;
  std::uint64_t bytes;
};
static_assert(std::is_trivially_copyable_v<Handle> && sizeof(Handle) <= sizeof(spi::MemoryHandle));

}  // namespace

Result<spi::MemoryHandle> Device::export_memory(std::byte* base, std::size_t bytes) {
  Handle handle{};
  GPUIO_TRY(status_of(table_, table_.export_handle(device_, base, handle.cuda, &handle.offset),
                      "making a handle of device memory for another process"));
  handle.bytes = bytes;
  spi::MemoryHandle opaque{};
  std::memcpy(opaque.data(), &handle, sizeof handle);
  return opaque;
}

Result<std::byte*> Device::import_memory(const spi::MemoryHandle& opaque, std::size_t bytes) {
  Handle handle{};
  std::memcpy(&handle, opaque.data(), sizeof handle);
  if (handle.bytes != bytes) return Status(Code::corrupt, "the handle is of another length").with("bytes", bytes);
  void* allocation = nullptr;
  GPUIO_TRY(status_of(table_, table_.import_handle(device_, handle.cuda, &allocation),
                      "opening another process's device memory"));
  auto* const base = static_cast<std::byte*>(allocation) + handle.offset;
  const std::lock_guard lock(mutex_);
  imported_.emplace(base, allocation);
  return base;
}

Status Device::release_imported(std::byte* base, std::size_t) {
  decltype(imported_)::node_type entry;
  {
    const std::lock_guard lock(mutex_);
    const auto found = imported_.find(base);
    if (found != imported_.end()) entry = imported_.extract(found);
  }
  if (entry.empty()) return Status(Code::invalid_argument, "this device imported no such range");
  return status_of(table_, table_.close_imported(device_, entry.mapped()), "giving up another process's device memory");
}

}  // namespace gpuio::cuda
