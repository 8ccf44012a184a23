// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/memory/memory_registry.h"
#include "core/memory/region_backing.h"
#include "core/spi/device.h"
#include "core/spi/mapping.h"
#include "gpuio/layout.hpp"

namespace gpuio::core {

/// A Region's backing that is a mapping of a store: what of it is still mapped, and whether an accelerator reaches it.
///
/// Thread safety: const members from any thread, the others under the Region's lock, which sees to it that nobody uses
/// the memory while parts of it go.
class MappedMemory final : public RegionBacking {
 public:
  /// `store` is what must stay open as long as the mapping lives. Fails as spi::Mapping's members do; with
  /// DeviceAccess::required also where `device` can't reach the memory.
  static Result<std::unique_ptr<MappedMemory>> create(std::shared_ptr<void> store,
                                                      std::unique_ptr<spi::Mapping> mapping,
                                                      std::shared_ptr<spi::Device> device, const MapOptions& options);

  [[nodiscard]] MappedMemory* mapped() noexcept override { return this; }
  [[nodiscard]] Status check() const override { return mapping_->check(); }
  [[nodiscard]] Sharing sharing() const noexcept override { return mapping_->sharing(); }
  [[nodiscard]] std::byte* base() const noexcept { return mapping_->base(); }
  [[nodiscard]] std::uint64_t size() const noexcept { return mapping_->size(); }
  [[nodiscard]] bool writable() const noexcept { return mapping_->access() == MapAccess::read_write; }
  [[nodiscard]] const spi::Mapping& mapping() const noexcept { return *mapping_; }

  /// True if the device's copy engine and kernels may use all of it.
  [[nodiscard]] bool device_reaches() const noexcept { return device_->memory_is_host() || no_device_.empty(); }
  [[nodiscard]] const std::string& why_staged() const noexcept { return no_device_; }
  /// It is registered with an accelerator, so that what changes its extent needs it unused.
  [[nodiscard]] bool registered() const noexcept { return !registrations_.empty(); }

  [[nodiscard]] Status grow(std::uint64_t size_bytes);
  [[nodiscard]] Status unmap(std::uint64_t offset, std::uint64_t length);

  /// Fails with `stale` if part of the range was unmapped.
  [[nodiscard]] Status check_range(std::uint64_t offset, std::uint64_t length) const;
  [[nodiscard]] std::string explain() const;

 private:
  MappedMemory(std::shared_ptr<void> store, std::unique_ptr<spi::Mapping> mapping, std::shared_ptr<spi::Device> device)
      : store_(std::move(store)), mapping_(std::move(mapping)), device_(std::move(device)) {}

  [[nodiscard]] Status register_all();
  /// Registers what is mapped now, unless that is switched off; a failure leaves nothing registered and its reason.
  void try_register();

  std::shared_ptr<void> store_;
  std::unique_ptr<spi::Mapping> mapping_;
  std::shared_ptr<spi::Device> device_;
  std::vector<Extent> holes_;                ///< Unmapped since, in their order, none touching the next.
  std::vector<Registration> registrations_;  // after mapping_: undone before it goes
  DeviceAccess wanted_ = DeviceAccess::none;
  std::string no_device_;  ///< Why the accelerator does not reach it.
};

}  // namespace gpuio::core
