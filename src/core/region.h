// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "core/spi/device.h"
#include "core/view_cells.h"
#include "gpuio/device.hpp"
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
/// is what returns it to the device. Holds the device, so it may outlive the Context.
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

  /// What submission calls for every Slice it is given. Fails with `closed` for an empty Slice, `stale` for a freed
  /// one.
  static Result<Resolved> resolve(const Slice& slice);

  /// Returns owned memory to the device; a failure has nobody to go to and is logged.
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  [[nodiscard]] std::byte* base() const noexcept { return base_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] RegionKind kind() const noexcept { return kind_; }
  [[nodiscard]] bool owned() const noexcept { return owned_; }
  [[nodiscard]] spi::Device& device() const noexcept { return *device_; }
  [[nodiscard]] const std::shared_ptr<spi::Device>& device_pointer() const noexcept { return device_; }

  /// True if host code may load and store these bytes: no slab is needed on the way.
  [[nodiscard]] bool memory_is_host() const noexcept;
  [[nodiscard]] Capability can(Ability ability) const;
  [[nodiscard]] const Sharing& sharing() const noexcept { return sharing_; }

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

  /// The whole Region as a Slice of its present generation.
  [[nodiscard]] Slice whole();

 private:
  friend class RegionPin;
  Region(std::shared_ptr<spi::Device> device, RegionKind kind, std::byte* base, std::uint64_t size, bool owned);
  void unpin() noexcept;

  const std::shared_ptr<spi::Device> device_;
  std::byte* const base_;
  const std::uint64_t size_;
  const RegionKind kind_;
  const bool owned_;
  std::atomic<std::uint64_t> generation_;  // Written under mutex_, so that pinning and freeing exclude each other.
  Sharing sharing_{};
  mutable std::mutex mutex_;
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
