// SPDX-License-Identifier: Apache-2.0
#include "core/memory/region.h"

#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/planted_bug.h"
#include "base/try.h"
#include "core/mapping/mapped_memory.h"
#include "core/memory/memory_registry.h"
#include "core/placement/placement.h"

namespace gpuio::core {
namespace {

/// Memory that the device allocated.
class DeviceBacking final : public RegionBacking {
 public:
  DeviceBacking(std::shared_ptr<spi::Device> device, RegionKind kind, std::byte* base, std::uint64_t size)
      : device_(std::move(device)), kind_(kind), base_(base), size_(size) {}
  DeviceBacking(const DeviceBacking&) = delete;
  DeviceBacking& operator=(const DeviceBacking&) = delete;
  ~DeviceBacking() override {
    const Status freed = device_->free(kind_, base_, size_);
    if (!freed.ok()) GPUIO_LOG(warn, "core", "freeing memory of " + device_->info().name + ": " + freed.to_string());
  }

 private:
  const std::shared_ptr<spi::Device> device_;
  const RegionKind kind_;
  std::byte* const base_;
  const std::uint64_t size_;
};

Status check_kind(const spi::Device& device, const AllocateOptions& options) {
  const auto refuse_without = [&](Ability ability) -> Status {
    const Capability can = device.capability(ability);
    if (can) return {};
    return Status(Code::unsupported, "no " + std::string(to_string(options.kind)) + " memory: " + can.reason)
        .with("device", device.info().name);
  };
  switch (options.kind) {
    case RegionKind::device:
      if (options.placement != Placement() && !device.memory_is_host()) {
        return Status(Code::invalid_argument, "placement is for host memory; this device's own has no nodes")
            .with("device", device.info().name);
      }
      return {};
    case RegionKind::pinned:
      return refuse_without(Ability::pinned_regions);
    case RegionKind::mapped:
      return refuse_without(Ability::mapped_regions);
    case RegionKind::user:
      return Status(Code::invalid_argument, "kind user is memory of the caller's: lend it with Device::wrap");
    case RegionKind::shared:
      break;
  }
  return Status(Code::invalid_argument, "kind shared is a Store's memory, as mem://dram: map it with Context::map");
}

constexpr std::string_view kNotCoherent = "others that share it don't see stores before they are released";

Capability yes_if(bool available, std::string_view reason_if_not) {
  return {available, available ? std::string() : std::string(reason_if_not)};
}

Status check_part(std::uint64_t offset, std::uint64_t length, std::uint64_t size) {
  if (offset <= size && length <= size - offset && length != 0) return {};
  return Status(Code::out_of_range, "the part lies outside the Buffer, or is empty")
      .with("offset", offset)
      .with("length", length)
      .with("size", size);
}

Status not_mapped() { return Status(Code::unsupported, "only a mapped Store can do that (Context::map)"); }

}  // namespace

Result<Buffer> Region::allocate(std::shared_ptr<spi::Device> device, std::uint64_t size_bytes,
                                const AllocateOptions& options) {
  if (size_bytes == 0) return Status(Code::invalid_argument, "size_bytes is zero");
  GPUIO_TRY(check_kind(*device, options));
  GPUIO_TRY(placement::check(options.placement, size_bytes));
  GPUIO_ASSIGN(std::byte * base, device->allocate(options.kind, size_bytes, options.placement));
  auto backing = std::make_unique<DeviceBacking>(device, options.kind, base, size_bytes);
  return Buffer(
      std::shared_ptr<Region>(new Region(std::move(device), options.kind, base, size_bytes, std::move(backing))));
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
  std::shared_ptr<Region> region(new Region(std::move(device), kind, base, size_bytes, nullptr));
  region->sharing_ = sharing;
  return Buffer(std::move(region));
}

Buffer Region::adopt(std::shared_ptr<spi::Device> device, std::byte* base, std::uint64_t size_bytes, RegionKind kind,
                     std::unique_ptr<RegionBacking> backing) {
  return Buffer(std::shared_ptr<Region>(new Region(std::move(device), kind, base, size_bytes, std::move(backing))));
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
  if (const MappedMemory* const mapped = region->mapped(); mapped != nullptr) {
    // Under the lock under which `unmap` counts who holds the Region: it sees either this reference or is seen here.
    const std::lock_guard lock(region->mutex_);
    GPUIO_TRY(mapped->check_range(slice.offset_, slice.size_));
  }
  std::byte* const address = region->base_ + slice.offset_;
  return Resolved{std::move(region), address, slice.size_};
}

Region::Region(std::shared_ptr<spi::Device> device, RegionKind kind, std::byte* base, std::uint64_t size,
               std::unique_ptr<RegionBacking> backing)
    : device_(std::move(device)),
      base_(base),
      size_(size),
      kind_(kind),
      backing_(std::move(backing)),
      generation_(MemoryRegistry::process().next_generation()) {}

bool Region::memory_is_host() const noexcept { return kind_ != RegionKind::device || device_->memory_is_host(); }

bool Region::has_driver_of(const spi::Device& device) const noexcept {
  const auto family = [](const spi::Device& one) {
    return std::string_view(one.info().name).substr(0, one.info().name.find(':'));
  };
  return family(device) == family(*device_) && device.memory_is_host() == device_->memory_is_host();
}

bool Region::copy_engine_reaches(const spi::Device& device) const {
  if (!has_driver_of(device)) return MemoryRegistry::process().covers(device.info().name, base_, size_);
  if (device.memory_is_host()) return true;
  const MappedMemory* const mapping = mapped();
  if (mapping == nullptr) return kind_ != RegionKind::user;
  const std::lock_guard lock(mutex_);
  return mapping->device_reaches();
}

Status Region::check_writable() const {
  const MappedMemory* const mapping = mapped();
  if (mapping == nullptr || mapping->writable()) return {};
  return Status(Code::permission_denied, "the memory is a Store mapped for reading: map it with MapAccess::read_write");
}

Status Region::check_kernels_reach(const spi::Device& device, MapAccess access) const {
  if (access == MapAccess::read_write) GPUIO_TRY(check_writable());
  if (device.memory_is_host() && memory_is_host()) return {};
  if (device.info().name == device_->info().name) {
    const Capability can = this->can(Ability::device_load_store);
    return can ? Status() : Status(Code::unsupported, can.reason);
  }
  const bool driver_allocated = kind_ == RegionKind::pinned || kind_ == RegionKind::mapped;
  if (driver_allocated && has_driver_of(device)) return {};
  if (memory_is_host() && MemoryRegistry::process().covers(device.info().name, base_, size_)) return {};
  return Status(Code::unsupported, "kernels of " + device.info().name + " don't reach " +
                                       std::string(to_string(kind_)) + " memory of " + device_->info().name +
                                       ": allocate, map or receive it with the kernels' device");
}

bool Region::is_mapped_cxl() const noexcept {
  const MappedMemory* const mapping = mapped();
  return mapping != nullptr && mapping->mapping().tier() == "cxl";
}

Capability Region::can_as_mapped(Ability ability) const {
  const MappedMemory& mapping = *mapped();
  const std::string remark = mapping.writable() ? "" : "loads only: it is mapped for reading";
  switch (ability) {
    case Ability::host_load_store:
      return {true, remark};
    case Ability::host_atomics:
      return yes_if(mapping.writable(), remark);
    case Ability::storage_fixed:
      return {false, "the kernel registers no pages of files"};
    case Ability::dmabuf_export:
      return {false, "only memory of kind device can be exported"};
    case Ability::coherent:
      return yes_if(sharing().coherent, kNotCoherent);
    case Ability::device_load_store:
    case Ability::device_copy:
    case Ability::device_atomics:
      break;
    default:
      return device_->capability(ability);
  }
  const std::lock_guard lock(mutex_);
  if (!mapping.device_reaches()) return {false, "staged through slabs: " + mapping.why_staged()};
  if (ability == Ability::device_atomics && !mapping.writable()) return {false, remark};
  const Capability device = device_->capability(ability);
  return device ? Capability{true, remark} : device;
}

Capability Region::can(Ability ability) const {
  if (mapped() != nullptr) return can_as_mapped(ability);
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
      return yes_if(sharing().coherent, kNotCoherent);
    default:
      break;
  }
  return device_->capability(ability);
}

Result<PlacementReport> Region::placement(std::byte* address, std::uint64_t bytes) const {
  if (!memory_is_host()) return Status(Code::unsupported, "an accelerator's own memory lies on no NUMA node");
  return placement::report(PlacementSystem::process(), address, bytes);
}

Result<MigrationReport> Region::migrate(std::byte* address, std::uint64_t bytes, const Placement& placement) {
  if (!memory_is_host()) return Status(Code::unsupported, "an accelerator's own memory lies on no NUMA node");
  if (kind_ == RegionKind::mapped && !device_->memory_is_host()) {
    return Status(Code::unsupported, "the accelerator's driver places mapped memory: allocate it anew and copy");
  }
  // Virtual addresses would stay, but devices go by physical ones.
  if (kind_ == RegionKind::pinned || MemoryRegistry::process().covers(device_->info().name, base_, size_)) {
    return Status(Code::busy, "devices hold these pages: allocate memory elsewhere and copy").with("bytes", bytes);
  }
  if (const std::uint32_t held = pins(); held > 0) {
    return Status(Code::busy, "the Buffer is pinned").with("pins", held);
  }
  return placement::migrate(PlacementSystem::process(), address, bytes, placement, device_->info().numa_node);
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

Status Region::check_unused() const {
  if (pins_ > 0) return Status(Code::busy, "the Buffer is pinned").with("pins", pins_);
  // The Buffer's own reference is one. A Request releases what it did when it lets go; to acquire that takes a change
  // of the count, which reading it is not.
  const long references = weak_from_this().use_count();
  const std::shared_ptr<const Region> acquired = weak_from_this().lock();
  if (references <= 1) return {};
  return Status(Code::busy, "the Buffer is in use by Requests that run").with_retryable(true);
}

Status Region::grow(std::uint64_t size_bytes) {
  MappedMemory* const mapping = mapped();
  if (mapping == nullptr) return not_mapped();
  const std::lock_guard lock(mutex_);
  if (mapping->registered()) GPUIO_TRY(check_unused());
  GPUIO_TRY(mapping->grow(size_bytes));
  size_.store(mapping->size(), std::memory_order_release);
  return {};
}

Status Region::unmap(std::uint64_t offset, std::uint64_t length) {
  MappedMemory* const mapping = mapped();
  if (mapping == nullptr) return not_mapped();
  const std::lock_guard lock(mutex_);
  GPUIO_TRY(check_part(offset, length, size()));
  GPUIO_TRY(check_unused());
  return mapping->unmap(offset, length);
}

Result<std::unique_ptr<RegionPin>> Region::hold_part(std::uint64_t offset, std::uint64_t length) {
  const MappedMemory* const mapping = mapped();
  if (mapping == nullptr) return not_mapped();
  const std::lock_guard lock(mutex_);
  GPUIO_TRY(check_part(offset, length, size()));
  GPUIO_TRY(mapping->check_range(offset, length));
  ++pins_;
  return std::make_unique<RegionPin>(shared_from_this());
}

Status Region::prefault(std::uint64_t offset, std::uint64_t length) {
  GPUIO_ASSIGN(const std::unique_ptr<RegionPin> hold, hold_part(offset, length));
  return mapped()->mapping().prefault(offset, length);
}

Status Region::advise(std::uint64_t offset, std::uint64_t length, MemoryAdvice advice) {
  GPUIO_ASSIGN(const std::unique_ptr<RegionPin> hold, hold_part(offset, length));
  return mapped()->mapping().advise(offset, length, advice);
}

Status Region::check() const { return backing_ != nullptr ? backing_->check() : Status(); }

std::string Region::explain() const {
  const MappedMemory* const mapping = mapped();
  if (mapping == nullptr) {
    return std::string(to_string(kind_)) + " memory of " + device_->info().name + ", " + std::to_string(size()) +
           " bytes\n";
  }
  const std::lock_guard lock(mutex_);
  return mapping->explain();
}

Slice Region::whole() { return {weak_from_this(), 0, size(), generation()}; }

}  // namespace gpuio::core
