// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "core/spi/forwarding_device.h"
#include "support/wrapping_driver.h"

namespace gpuio::tests {

/// What a test knows of, and does to, a FarDevice.
struct FarRules {
  std::atomic<bool> kernels_reach{true};  ///< Off: kernels load from no host memory.
  std::atomic<bool> registers{true};      ///< Off: host memory that others allocated can't be registered.
  std::atomic<std::size_t> registered_bytes{0};
};

/// A host device posing as an accelerator, "far:0" for "host", "far:1" for "host:1": its own memory is for copies and
/// kernels alone, and it reaches host memory of others only once that is registered.
class FarDevice final : public spi::ForwardingDevice {
 public:
  FarDevice(std::unique_ptr<spi::Device> inner, std::shared_ptr<FarRules> rules)
      : ForwardingDevice(std::move(inner)), rules_(std::move(rules)), info_(inner_->info()) {
    const std::size_t ordinal = info_.name.find(':');
    info_.name = "far" + (ordinal == std::string::npos ? ":0" : info_.name.substr(ordinal));
  }

  const DeviceInfo& info() const noexcept override { return info_; }
  bool memory_is_host() const noexcept override { return false; }
  Capability capability(Ability ability) const override {
    if (ability == Ability::device_load_store && !rules_->kernels_reach) return {false, "no kernel reaches the host"};
    return inner_->capability(ability);
  }

  Status register_memory(std::byte* base, std::size_t bytes, spi::RegisterMode mode) override {
    if (!rules_->registers) return Status(Code::unsupported, "this accelerator registers nothing");
    Status registered = inner_->register_memory(base, bytes, mode);
    if (registered.ok()) rules_->registered_bytes += bytes;
    return registered;
  }
  Status unregister_memory(std::byte* base, std::size_t bytes) override {
    rules_->registered_bytes -= bytes;
    return inner_->unregister_memory(base, bytes);
  }

 private:
  const std::shared_ptr<FarRules> rules_;
  DeviceInfo info_;
};

/// Opens the devices of another driver as "far:0", "far:1", ...
class FarDriver final : public WrappingDriver<FarDevice, std::shared_ptr<FarRules>> {
 public:
  using WrappingDriver::WrappingDriver;
  [[nodiscard]] std::string_view family() const noexcept override { return "far"; }
  [[nodiscard]] std::string name(int ordinal) const override { return "far:" + std::to_string(ordinal); }
};

}  // namespace gpuio::tests
