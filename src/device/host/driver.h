// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/spi/device.h"
#include "core/spi/executor.h"
#include "device/host/kernels.h"

namespace gpuio::host {

class WordWatch;

/// The family "host": one device, or several that share the machine's memory and pool ("host", "host:1", ...), as many
/// as a program for several accelerators wants to be tried with. Thread safety: all members.
class Driver final : public spi::DeviceDriver {
 public:
  /// `executor` must outlive the driver and all devices that it opened. `kernels` is copied.
  Driver(spi::Executor& executor, int count, const KernelTable& kernels);
  ~Driver() override;

  [[nodiscard]] std::string_view family() const noexcept override { return "host"; }
  [[nodiscard]] Result<int> count() override { return count_; }
  [[nodiscard]] std::string name(int ordinal) const override;
  [[nodiscard]] Result<std::unique_ptr<spi::Device>> open(int ordinal) override;

 private:
  spi::Executor& executor_;
  int count_;
  KernelTable kernels_;
  std::shared_ptr<WordWatch> words_;  ///< One for all devices; each keeps it.
};

}  // namespace gpuio::host
