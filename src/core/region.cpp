// SPDX-License-Identifier: Apache-2.0
#include "core/region.h"

#include <limits>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/planted_bug.h"
#include "base/try.h"
#include "core/memory_registry.h"
#include "core/numa.h"

namespace gpuio::core {
namespace {

Status check_kind(const spi::Device& device, const AllocateOptions& options) {
  const auto refuse_without = [&](Ability ability) -> Status {
    const Capability can = device.capability(ability);
    if (can) return {};
    return Status(Code::unsupported, "no " + std::string(to_string(options.kind)) + " memory: " + can.reason)
        .with("device", device.info().name);
  };
  switch (options.kind) {
    case RegionKind::device:
      if (options.numa_node && !device.memory_is_host()) {
        return Status(Code::invalid_argument, "numa_node is for host memory; this device's own has none")
            .with("device", device.info().name);
      }
      return {};
    case RegionKind::pinned:
      return refuse_without(Ability::pinned_regions);
    case RegionKind::mapped:
      return refuse_without(Ability::mapped_regions);
    case RegionKind::user:
      break;
  }
  return Status(Code::invalid_argument, "kind user is memory of the caller's: lend it with Device::wrap");
}

Capability yes_if(bool available, std::string_view reason_if_not) {
  return {available, available ? std::string() : std::string(reason_if_not)};
}

}  // namespace

Result<Buffer> Region::allocate(std::shared_ptr<spi::Device> device, std::uint64_t size_bytes,
                                const AllocateOptions& options) {
  if (size_bytes == 0) return Status(Code::invalid_argument, "size_bytes is zero");
  GPUIO_TRY(check_kind(*device, options));
  if (options.numa_node && !numa::exists(*options.numa_node)) {
    return Status(Code::not_found, "no such NUMA node: numa_node=" + std::to_string(*options.numa_node));
  }
  GPUIO_ASSIGN(std::byte * base, device->allocate(options.kind, size_bytes, options.numa_node.value_or(-1)));
  return Buffer(std::shared_ptr<Region>(new Region(std::move(device), options.kind, base, size_bytes, true)));
}

Result<Buffer> Region::wrap(std::shared_ptr<spi::Device> device, void* address, std::uint64_t size_bytes,
                            RegionKind kind, const Sharing& sharing) {
  if (address == nullptr) return Status(Code::invalid_argument, "address is null");
  if (size_bytes == 0) return Status(Code::invalid_argument, "size_bytes is zero");
  if (size_bytes > std::numeric_limits<std::uintptr_t>::max() - reinterpret_cast<std::uintptr_t>(address)) {
    return Status(Code::invalid_argument, "address + size_bytes is past the last address")
        .with("size_bytes", size_bytes);
  }
  auto* const base = static_cast<std::byte*>(address);
  std::shared_ptr<Region> region(new Region(std::move(device), kind, base, size_bytes, false));
  region->sharing_ = sharing;
  return Buffer(std::move(region));
}

Result<Resolved> Region::resolve(const Slice& slice) {
  if (slice.generation_ == 0) return Status(Code::closed, "the Slice is empty: it refers to no Buffer");
  std::shared_ptr<Region> region = slice.region_.lock();
  const bool checked = !base::planted_bug("stale_slices_are_used");
  if (region == nullptr || (checked && region->generation() != slice.generation_)) {
    return Status(Code::stale, "the Buffer behind this Slice was freed")
        .with("slice_bytes", slice.size_)
        .with("generation", slice.generation_);
  }
  std::byte* const address = region->base_ + slice.offset_;
  return Resolved{std::move(region), address, slice.size_};
}

Region::Region(std::shared_ptr<spi::Device> device, RegionKind kind, std::byte* base, std::uint64_t size, bool owned)
    : device_(std::move(device)),
      base_(base),
      size_(size),
      kind_(kind),
      owned_(owned),
      generation_(MemoryRegistry::process().next_generation()) {}

Region::~Region() {
  if (!owned_) return;
  const Status freed = device_->free(kind_, base_, size_);
  if (!freed.ok()) GPUIO_LOG(warn, "core", "freeing memory of " + device_->info().name + ": " + freed.to_string());
}

bool Region::memory_is_host() const noexcept { return kind_ != RegionKind::device || device_->memory_is_host(); }

Capability Region::can(Ability ability) const {
  const bool known_to_device = kind_ != RegionKind::user || device_->memory_is_host() ||
                               MemoryRegistry::process().covers(device_->info().name, base_, size_);
  switch (ability) {
    case Ability::host_load_store:
    case Ability::host_atomics:
      return yes_if(memory_is_host(), "it is the accelerator's own memory");
    case Ability::device_load_store:
    case Ability::device_atomics:
    case Ability::device_copy:
      if (!known_to_device) return {false, "the caller's memory is not registered with the device"};
      break;
    case Ability::storage_fixed:
      if (!memory_is_host()) return {false, "it is the accelerator's own memory"};
      if (kind_ == RegionKind::mapped) return {false, "the kernel can't register mapped memory; pinned memory can be"};
      break;
    case Ability::dmabuf_export:
      if (kind_ != RegionKind::device) return {false, "only memory of kind device can be exported"};
      break;
    case Ability::coherent:
      if (!sharing_.coherent) return {false, "others that share it don't see stores before they are released"};
      return {true, ""};
    default:
      break;
  }
  return device_->capability(ability);
}

Result<std::unique_ptr<RegionPin>> Region::pin(std::uint64_t generation) {
  const std::lock_guard lock(mutex_);
  if (generation != this->generation()) return Status(Code::stale, "the Buffer behind this Slice was freed");
  ++pins_;
  return std::make_unique<RegionPin>(shared_from_this());
}

void Region::unpin() noexcept {
  const std::lock_guard lock(mutex_);
  --pins_;
}

std::uint32_t Region::pins() const {
  const std::lock_guard lock(mutex_);
  return pins_;
}

Status Region::free() {
  const std::lock_guard lock(mutex_);
  if (pins_ > 0) return Status(Code::busy, "the Buffer is pinned").with("pins", pins_);
  generation_.store(0, std::memory_order_release);
  return {};
}

void Region::retire() noexcept {
  const std::lock_guard lock(mutex_);
  generation_.store(0, std::memory_order_release);
}

RegionPin::~RegionPin() {
  if (cell_ != nullptr) ViewCells::process().give(*cell_);
  region_->unpin();
}

const ViewCell& RegionPin::cell() {
  std::call_once(cell_made_, [&] { cell_ = &ViewCells::process().take(); });
  return *cell_;
}

Slice Region::whole() { return {weak_from_this(), 0, size_, generation()}; }

}  // namespace gpuio::core
