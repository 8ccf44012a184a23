// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "core/memory/region_backing.h"
#include "core/spi/device.h"
#include "core/view/view_cells.h"
#include "gpuio/device.hpp"
#include "gpuio/map.hpp"
#include "gpuio/memory.hpp"
#include "gpuio/result.hpp"

namespace gpuio::core {

class RegionPin;

/// What a Slice meant when it was asked: real addresses, and the reference that keeps them.
struct Resolved {
  std::shared_ptr<Region> region;
  std::byte* address = nullptr;
  std::uint64_t bytes = 0;
};

/// Contiguous addresses on one device: what a Buffer owns, a Slice borrows, a Pin keeps and a Request holds.
///
/// Two lives. The *handle's* ends when the Buffer is freed or destroyed: the generation is retired and every Slice is
/// stale from then on. The *memory's* ends when the last shared_ptr goes (a Request that still moves bytes, a Pin), and
/// with it the backing, which gives back what was taken. Holds the device, so it may outlive the Context.
///
/// Thread safety: all members, any thread.
class Region : public std::enable_shared_from_this<Region> {
 public:
  /// Memory of `device`. Fails as Device::allocate of the public header.
  static Result<Buffer> allocate(std::shared_ptr<spi::Device> device, std::uint64_t size_bytes,
                                 const AllocateOptions& options);

  /// Memory of the caller's, never freed here. Fails with `invalid_argument` (null, zero bytes, past the last address).
  static Result<Buffer> wrap(std::shared_ptr<spi::Device> device, void* address, std::uint64_t size_bytes,
                             RegionKind kind, const Sharing& sharing = {});

  /// Memory that is others' too: `base` and `size_bytes` are `backing`'s.
  static Buffer adopt(std::shared_ptr<spi::Device> device, std::byte* base, std::uint64_t size_bytes, RegionKind kind,
                      std::unique_ptr<RegionBacking> backing);

  /// What submission calls for every Slice it is given. Fails with `closed` for an empty Slice, `stale` for a freed one
  /// and for one of which part was unmapped.
  static Result<Resolved> resolve(const Slice& slice);

  ~Region() = default;
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  [[nodiscard]] std::byte* base() const noexcept { return base_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_.load(std::memory_order_acquire); }
  [[nodiscard]] RegionKind kind() const noexcept { return kind_; }
  [[nodiscard]] spi::Device& device() const noexcept { return *device_; }
  [[nodiscard]] const std::shared_ptr<spi::Device>& device_pointer() const noexcept { return device_; }

  /// True if host code may load and store these bytes: no slab is needed on the way.
  [[nodiscard]] bool memory_is_host() const noexcept;
  /// Whether its device and `device` are of one driver: what that registers, it registers with all of them.
  [[nodiscard]] bool has_driver_of(const spi::Device& device) const noexcept;
  /// False if bytes between it and the own memory of `device`, an accelerator, must pass through slabs.
  [[nodiscard]] bool copy_engine_reaches(const spi::Device& device) const;
  /// Fails with `permission_denied` if nothing may be stored there.
  [[nodiscard]] Status check_writable() const;
  /// Whether kernels of `device` may load, or load and store. Fails as check_writable, or with `unsupported` and why
  /// they don't reach it.
  [[nodiscard]] Status check_kernels_reach(const spi::Device& device, MapAccess access) const;
  /// A Store's bytes on the tier `cxl`. What lies on nodes of CXL memory is MemoryTiers' to tell.
  [[nodiscard]] bool is_mapped_cxl() const noexcept;
  [[nodiscard]] Capability can(Ability ability) const;
  [[nodiscard]] Sharing sharing() const noexcept { return backing_ != nullptr ? backing_->sharing() : sharing_; }

  /// As Slice::placement and Slice::migrate, of bytes inside.
  [[nodiscard]] Result<PlacementReport> placement(std::byte* address, std::uint64_t bytes) const;
  [[nodiscard]] Result<MigrationReport> migrate(std::byte* address, std::uint64_t bytes, const Placement& placement);

  /// Unique in the process; 0 once freed.
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_.load(std::memory_order_acquire); }
  [[nodiscard]] bool freed() const noexcept { return generation() == 0; }

  /// Pins unless `generation` was retired (`stale`).
  [[nodiscard]] Result<std::unique_ptr<RegionPin>> pin(std::uint64_t generation);
  [[nodiscard]] std::uint32_t pins() const;

  /// Retires the generation; fails with `busy` while pinned, and nothing has changed then.
  [[nodiscard]] Status free();
  /// As free, for destructors: pinned memory stays valid until its Pins go.
  void retire() noexcept;

  // What the public Buffer's members of the same names do.
  [[nodiscard]] Status grow(std::uint64_t size_bytes);
  [[nodiscard]] Status unmap(std::uint64_t offset, std::uint64_t length);
  [[nodiscard]] Status prefault(std::uint64_t offset, std::uint64_t length);
  [[nodiscard]] Status advise(std::uint64_t offset, std::uint64_t length, MemoryAdvice advice);
  [[nodiscard]] Status check() const;
  [[nodiscard]] std::string explain() const;

  /// The mapping of a store that it is, or null.
  [[nodiscard]] MappedMemory* mapped() const noexcept { return backing_ != nullptr ? backing_->mapped() : nullptr; }

  /// The whole Region as a Slice of its present generation.
  [[nodiscard]] Slice whole();

 private:
  friend class RegionPin;
  Region(std::shared_ptr<spi::Device> device, RegionKind kind, std::byte* base, std::uint64_t size,
         std::unique_ptr<RegionBacking> backing);
  void unpin() noexcept;
  [[nodiscard]] Capability can_as_mapped(Ability ability) const;
  /// Under the lock: nobody but the Buffer has it, or `busy`.
  [[nodiscard]] Status check_unused() const;
  /// The mapping, for a part that stays mapped while the RegionPin lives.
  [[nodiscard]] Result<std::unique_ptr<RegionPin>> hold_part(std::uint64_t offset, std::uint64_t length);

  const std::shared_ptr<spi::Device> device_;
  std::byte* const base_;
  std::atomic<std::uint64_t> size_;  // Grows alone.
  const RegionKind kind_;
  const std::unique_ptr<RegionBacking> backing_;  // Null: the caller's memory.
  std::atomic<std::uint64_t> generation_;  // Written under mutex_, so that pinning and freeing exclude each other.
  Sharing sharing_{};                      // Of the caller's memory.
  mutable std::mutex mutex_;               // Also guards what of a mapping is there; see resolve and unmap.
  std::uint32_t pins_ = 0;
};

/// One Pin's hold: the Region can't be freed, and its memory can't go, while it lives.
class RegionPin {
 public:
  explicit RegionPin(std::shared_ptr<Region> region) noexcept : region_(std::move(region)) {}
  ~RegionPin();
  RegionPin(const RegionPin&) = delete;
  RegionPin& operator=(const RegionPin&) = delete;

  /// Null for an empty Pin.
  [[nodiscard]] static RegionPin* of(const Pin& pin) noexcept { return pin.hold_.get(); }
  [[nodiscard]] Region& region() const noexcept { return *region_; }
  /// What Views of this Pin compare their generation with; made when first asked for.
  [[nodiscard]] const ViewCell& cell();

 private:
  std::shared_ptr<Region> region_;
  std::once_flag cell_made_;
  ViewCell* cell_ = nullptr;
};

}  // namespace gpuio::core
