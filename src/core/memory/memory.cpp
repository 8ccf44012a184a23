// SPDX-License-Identifier: Apache-2.0
#include "gpuio/memory.hpp"

#include <array>
#include <utility>

#include "base/try.h"
#include "core/memory/region.h"
#include "core/view/atomics.h"

namespace gpuio {
namespace {

Status out_of_range(std::uint64_t offset, std::uint64_t length, std::uint64_t size) {
  return Status(Code::out_of_range, "the part lies outside the Slice")
      .with("offset", offset)
      .with("length", length)
      .with("size", size);
}

Status empty_buffer() { return Status(Code::closed, "the Buffer is empty: freed or moved from"); }

}  // namespace

std::string_view to_string(RegionKind kind) noexcept {
  static constexpr std::array<std::string_view, 5> kNames = {"device", "pinned", "mapped", "user", "shared"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view to_string(Ability ability) noexcept {
  static constexpr std::array<std::string_view, 17> kNames = {
      "host_load_store", "device_load_store",  "device_copy",    "storage_fixed",        "host_atomics",
      "device_atomics",  "mapped_regions",     "pinned_regions", "register_read_only",   "stream_wait_word",
      "graphs",          "peer_copy",          "dmabuf_export",  "storage_peer_to_peer", "trace_ranges",
      "coherent",        "host_native_atomics"};
  static_assert(kNames.size() == static_cast<std::size_t>(Ability::host_native_atomics) + 1);
  return kNames[static_cast<std::size_t>(ability)];
}

Slice::Slice(std::weak_ptr<core::Region> region, std::uint64_t offset, std::uint64_t size, std::uint64_t generation)
    : region_(std::move(region)), offset_(offset), size_(size), generation_(generation) {}

std::byte* Slice::data() const noexcept {
  const Result<core::Resolved> resolved = core::Region::resolve(*this);
  return resolved ? resolved->address : nullptr;
}

Capability Slice::can(Ability ability) const {
  const Result<core::Resolved> resolved = core::Region::resolve(*this);
  if (!resolved) return {false, std::string(resolved.error().message())};
  return resolved->region->can(ability);
}

Capability Slice::atomics(Processor by, dev::Scope scope, unsigned bits) const {
  const Result<core::Resolved> resolved = core::Region::resolve(*this);
  if (!resolved) return {false, std::string(resolved.error().message())};
  return core::atomics_on(*resolved, {by, scope, bits});
}

Result<Slice> Slice::slice(std::uint64_t offset, std::uint64_t length) const {
  GPUIO_TRY(core::Region::resolve(*this).status());
  if (offset > size_ || length > size_ - offset) return out_of_range(offset, length, size_);
  return Slice(region_, offset_ + offset, length, generation_);
}

Result<PlacementReport> Slice::placement() const {
  GPUIO_ASSIGN(const core::Resolved resolved, core::Region::resolve(*this));
  return resolved.region->placement(resolved.address, resolved.bytes);
}

Result<MigrationReport> Slice::migrate(const Placement& placement) const {
  GPUIO_ASSIGN(const core::Resolved resolved, core::Region::resolve(*this));
  return resolved.region->migrate(resolved.address, resolved.bytes, placement);
}

Result<Pin> Slice::pin() const {
  GPUIO_ASSIGN(const core::Resolved resolved, core::Region::resolve(*this));
  GPUIO_ASSIGN(std::unique_ptr<core::RegionPin> hold, resolved.region->pin(generation_));
  Pin pin;
  pin.hold_ = {hold.release(), [](core::RegionPin* held) { delete held; }};
  pin.data_ = resolved.address;
  pin.size_ = resolved.bytes;
  return pin;
}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  Buffer taken = std::move(other);  // What this one had leaves with it.
  region_.swap(taken.region_);
  return *this;
}

Buffer::~Buffer() {
  if (region_ != nullptr) region_->retire();
}

std::uint64_t Buffer::size() const noexcept { return region_ != nullptr ? region_->size() : 0; }

std::byte* Buffer::data() const noexcept { return region_ != nullptr ? region_->base() : nullptr; }

RegionKind Buffer::kind() const noexcept { return region_ != nullptr ? region_->kind() : RegionKind::device; }

std::string_view Buffer::device_name() const noexcept {
  return region_ != nullptr ? std::string_view(region_->device().info().name) : std::string_view();
}

Capability Buffer::can(Ability ability) const { return Slice(*this).can(ability); }

Buffer::operator Slice() const { return region_ != nullptr ? region_->whole() : Slice(); }

Result<Slice> Buffer::slice(std::uint64_t offset, std::uint64_t length) const {
  if (region_ == nullptr) return empty_buffer();
  return Slice(*this).slice(offset, length);
}

Status Buffer::free() {
  if (region_ == nullptr) return empty_buffer();
  GPUIO_TRY(region_->free());
  region_.reset();
  return {};
}

Status Buffer::grow(std::uint64_t size_bytes) {
  return region_ != nullptr ? region_->grow(size_bytes) : empty_buffer();
}

Status Buffer::unmap(std::uint64_t offset, std::uint64_t length) {
  return region_ != nullptr ? region_->unmap(offset, length) : empty_buffer();
}

Status Buffer::prefault(std::uint64_t offset, std::uint64_t length) const {
  return region_ != nullptr ? region_->prefault(offset, length) : empty_buffer();
}

Status Buffer::advise(std::uint64_t offset, std::uint64_t length, MemoryAdvice advice) const {
  return region_ != nullptr ? region_->advise(offset, length, advice) : empty_buffer();
}

Status Buffer::check() const { return region_ != nullptr ? region_->check() : empty_buffer(); }

std::string Buffer::explain() const { return region_ != nullptr ? region_->explain() : std::string(); }

}  // namespace gpuio
