// SPDX-License-Identifier: Apache-2.0
#include "core/mapping/mapped_memory.h"

#include <algorithm>
#include <utility>

#include "base/align.h"
#include "base/log.h"
#include "base/try.h"

namespace gpuio::core {

Result<std::unique_ptr<MappedMemory>> MappedMemory::create(std::shared_ptr<void> store,
                                                           std::unique_ptr<spi::Mapping> mapping,
                                                           std::shared_ptr<spi::Device> device,
                                                           const MapOptions& options) {
  std::unique_ptr<MappedMemory> memory(new MappedMemory(std::move(store), std::move(mapping), std::move(device)));
  memory->wanted_ = options.device_access;
  const std::uint64_t bytes = memory->size();
  if (options.advice != MemoryAdvice::normal) GPUIO_TRY(memory->mapping_->advise(0, bytes, options.advice));
  if (options.prefault) GPUIO_TRY(memory->mapping_->prefault(0, bytes));
  memory->try_register();
  if (options.device_access == DeviceAccess::required && !memory->device_reaches()) {
    return Status(Code::unsupported, "the device can't use this mapping: " + memory->no_device_)
        .with("device", memory->device_->info().name);
  }
  return memory;
}

void MappedMemory::try_register() {
  if (device_->memory_is_host()) return;
  if (wanted_ == DeviceAccess::none) {
    no_device_ = "DeviceAccess::none was asked for";
    return;
  }
  const Status registered = register_all();
  no_device_ = registered.ok() ? std::string() : registered.to_string();
  if (registered.ok()) return;
  registrations_.clear();
  GPUIO_LOG(info, "core", mapping_->explain() + " is staged: " + no_device_);
}

Status MappedMemory::register_all() {
  const bool read_only = !writable();
  if (read_only) {
    const Capability can = device_->capability(Ability::register_read_only);
    if (!can) return Status(Code::unsupported, "it is mapped for reading only, and " + can.reason);
  }
  const auto mode = read_only ? spi::RegisterMode::read_only : spi::RegisterMode::read_write;
  const auto add = [&](std::uint64_t begin, std::uint64_t end) -> Status {
    if (begin == end) return {};
    const auto first = base::align_down(reinterpret_cast<std::uintptr_t>(base() + begin), mapping_->page_bytes());
    const auto last = base::align_up(reinterpret_cast<std::uintptr_t>(base() + end), mapping_->page_bytes());
    GPUIO_ASSIGN(Registration added,
                 MemoryRegistry::process().add(device_, reinterpret_cast<std::byte*>(first), last - first, mode));
    registrations_.push_back(std::move(added));
    return {};
  };
  std::uint64_t begin = 0;
  for (const Extent& hole : holes_) {
    GPUIO_TRY(add(begin, hole.offset));
    begin = hole.offset + hole.length;
  }
  return add(begin, size());
}

Status MappedMemory::grow(std::uint64_t size_bytes) {
  // A copy may not cross two registrations, so what is registered is registered anew as one.
  registrations_.clear();
  const Status grown = mapping_->grow(size_bytes);
  try_register();
  return grown;
}

Status MappedMemory::unmap(std::uint64_t offset, std::uint64_t length) {
  GPUIO_TRY(check_range(offset, length));
  registrations_.clear();
  Status unmapped = mapping_->unmap(offset, length);
  if (unmapped.ok()) {
    const auto at = std::ranges::lower_bound(holes_, offset, {}, &Extent::offset);
    const auto added = holes_.insert(at, {offset, length});
    const auto next = std::next(added);
    if (next != holes_.end() && added->offset + added->length == next->offset) {
      added->length += next->length;
      holes_.erase(next);
    }
    if (added != holes_.begin() && std::prev(added)->offset + std::prev(added)->length == added->offset) {
      std::prev(added)->length += added->length;
      holes_.erase(added);
    }
  }
  try_register();
  return unmapped;
}

Status MappedMemory::check_range(std::uint64_t offset, std::uint64_t length) const {
  for (const Extent& hole : holes_) {
    if (hole.offset < offset + length && offset < hole.offset + hole.length) {
      return Status(Code::stale, "part of this was unmapped")
          .with("offset", offset)
          .with("length", length)
          .with("unmapped_from", hole.offset)
          .with("unmapped_length", hole.length);
    }
  }
  return {};
}

std::string MappedMemory::explain() const {
  std::string text = mapping_->explain() + "\n";
  for (const Extent& hole : holes_) {
    text += "unmapped: " + std::to_string(hole.length) + " bytes from " + std::to_string(hole.offset) + "\n";
  }
  const std::string& device = device_->info().name;
  if (device_->memory_is_host()) {
    text += device + ": loads and stores\n";
  } else if (no_device_.empty()) {
    text +=
        device + ": registered" + (writable() ? "" : " for reading") + "; copy engine and kernels use it in place\n";
  } else {
    text += device + ": staged through slabs: " + no_device_ + "\n";
  }
  const Status healthy = mapping_->check();
  if (!healthy.ok()) text += "broken: " + healthy.to_string() + "\n";
  return text;
}

}  // namespace gpuio::core
