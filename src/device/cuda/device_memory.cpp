// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <vector>

#include "base/try.h"
#include "core/placement/numa.h"
#include "core/placement/placement.h"
#include "device/cuda/device.h"

// A CUDA device's memory: what it has, what it can use, and copies.
namespace gpuio::cuda {

Result<std::byte*> Device::allocate(RegionKind kind, std::size_t bytes, const Placement& placement) {
  if (bytes == 0) return Status(Code::invalid_argument, "an allocation of zero bytes");
  GPUIO_TRY(core::placement::check(placement, bytes));
  switch (kind) {
    case RegionKind::device:
      return allocate_device(bytes);
    case RegionKind::pinned:
      return allocate_pinned(bytes, placement);
    case RegionKind::mapped:
      return allocate_mapped(bytes, placement);
    case RegionKind::user:
    case RegionKind::shared:
      break;
  }
  return Status(Code::invalid_argument, "user and shared memory is not allocated");
}

Result<std::byte*> Device::allocate_device(std::size_t bytes) {
  void* memory = nullptr;
  Status status = status_of(table_, table_.allocate(device_, bytes, &memory), "allocating device memory");
  if (!status.ok()) return status.with("bytes", bytes);
  return static_cast<std::byte*>(memory);
}

/// Huge pages registered with the device: as fast for it as cudaHostAlloc's and allocated several times faster.
Result<std::byte*> Device::allocate_pinned(std::size_t bytes, const Placement& placement) {
  const int nearest = core::numa::nearest(info_.numa_node);
  GPUIO_ASSIGN(core::HostPages pages, core::HostPages::map(bytes, nearest, placement));
  std::byte* base = pages.base();
  GPUIO_TRY(registrations_.add(base, pages.size(), spi::RegisterMode::read_write));
  std::lock_guard lock(mutex_);
  pinned_.emplace(base, std::move(pages));
  return base;
}

Result<std::byte*> Device::allocate_mapped(std::size_t bytes, const Placement& placement) {
  if (placement.strict || placement.nodes.size() > 1 || placement.policy > PlacementPolicy::preferred) {
    return Status(Code::unsupported, "CUDA's driver places mapped memory near to one node: Placement::preferred")
        .with("policy", to_string(placement.policy));
  }
  if (const Capability can = capability(Ability::mapped_regions); !can) return Status(Code::unsupported, can.reason);
  std::lock_guard lock(mutex_);
  GPUIO_ASSIGN(const MemoryUse use, memory_use());
  // Beyond it the driver starts to evict mappings, and rows come at a hundredth of the link's rate.
  if (bytes > use.free_bytes || mapped_bytes_ > use.free_bytes - bytes) {
    return Status(Code::resource_exhausted,
                  "mapped memory must fit the free memory of the device that maps it; use pinned memory for the rest")
        .with("bytes", bytes)
        .with("mapped_bytes", mapped_bytes_)
        .with("device_free_bytes", use.free_bytes);
  }
  void* memory = nullptr;
  const int node = placement.nodes.empty() ? -1 : placement.nodes.front();
  Status status = status_of(table_, table_.allocate_mapped(device_, bytes, node, &memory), "allocating mapped memory");
  if (!status.ok()) return status.with("bytes", bytes);
  mapped_bytes_ += bytes;
  return static_cast<std::byte*>(memory);
}

Status Device::free(RegionKind kind, std::byte* base, std::size_t bytes) {
  if (kind == RegionKind::pinned) return free_pinned(base);
  GPUIO_TRY(status_of(table_, table_.free(device_, base), "freeing memory"));
  if (kind == RegionKind::mapped) {
    std::lock_guard lock(mutex_);
    mapped_bytes_ -= bytes;
  }
  return {};
}

Status Device::free_pinned(std::byte* base) {
  decltype(pinned_)::node_type pages;
  {
    std::lock_guard lock(mutex_);
    pages = pinned_.extract(base);
  }
  if (pages.empty()) return Status(Code::invalid_argument, "this device allocated no such range");
  Status status = registrations_.remove(base, pages.mapped().size());
  if (!status.ok() && status.code() != Code::device_lost) {
    // The device may still write them: they stay, and can be freed again.
    std::lock_guard lock(mutex_);
    pinned_.insert(std::move(pages));
  }
  return status;
}

Status Device::register_memory(std::byte* base, std::size_t bytes, spi::RegisterMode mode) {
  const auto page_bytes = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  if (base == nullptr || bytes == 0 || (reinterpret_cast<std::uintptr_t>(base) | bytes) % page_bytes != 0) {
    return Status(Code::invalid_argument, "a registered range is not empty and starts and ends on pages")
        .with("bytes", bytes);
  }
  return registrations_.add(base, bytes, mode);
}

Status Device::unregister_memory(std::byte* base, std::size_t bytes) { return registrations_.remove(base, bytes); }

Status Device::copy(spi::StreamHandle stream, std::span<const spi::CopySegment> segments) {
  if (!registrations_.chunked()) return queue_copies(stream, segments);
  return queue_copies(stream, registrations_.cut(segments));
}

Status Device::queue_copies(spi::StreamHandle stream, std::span<const spi::CopySegment> segments) {
  if (stream == nullptr) return Status(Code::invalid_argument, "a null handle").with("argument", "stream");
  // The table takes columns; the usual single segment needs no memory for them.
  std::vector<void*> destinations;
  std::vector<const void*> sources;
  std::vector<std::size_t> sizes;
  if (segments.size() > 1) {
    destinations.reserve(segments.size());
    sources.reserve(segments.size());
    sizes.reserve(segments.size());
  }
  for (const spi::CopySegment& segment : segments) {
    if (segment.bytes == 0) continue;
    if (segment.source == nullptr || segment.destination == nullptr) {
      return Status(Code::invalid_argument, "a copy from or to a null address").with("bytes", segment.bytes);
    }
    if (segments.size() == 1) {
      void* destination = segment.destination;
      const void* source = segment.source;
      return status_of(table_, table_.copy(device_, stream, &destination, &source, &segment.bytes, 1),
                       "queueing a copy");
    }
    destinations.push_back(segment.destination);
    sources.push_back(segment.source);
    sizes.push_back(segment.bytes);
  }
  if (sizes.empty()) return {};
  return status_of(table_,
                   table_.copy(device_, stream, destinations.data(), sources.data(), sizes.data(), sizes.size()),
                   "queueing copies");
}

Result<int> Device::export_dmabuf(std::byte* base, std::size_t bytes) {
  if (const Capability can = capability(Ability::dmabuf_export); !can) return Status(Code::unsupported, can.reason);
  int descriptor = -1;
  GPUIO_TRY(status_of(table_, table_.export_dmabuf(device_, base, bytes, &descriptor), "exporting a dma-buf"));
  return descriptor;
}

}  // namespace gpuio::cuda
