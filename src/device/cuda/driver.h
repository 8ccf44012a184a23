// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/spi/device.h"
#include "device/cuda/loader.h"

namespace gpuio::cuda {

/// The family "cuda". Nothing is loaded before `count` or `open` is called, and no context is made before `open`.
/// Thread safety: all members.
class Driver final : public spi::DeviceDriver {
 public:
  explicit Driver(LoadOptions options = {}) : options_(std::move(options)) {}

  [[nodiscard]] std::string_view family() const noexcept override { return "cuda"; }
  /// At least 1; a machine without any is a Status as well.
  [[nodiscard]] Result<int> count() override;
  [[nodiscard]] std::string name(int ordinal) const override;
  [[nodiscard]] Result<std::unique_ptr<spi::Device>> open(int ordinal) override;

 private:
  Result<int> load();

  LoadOptions options_;
  std::mutex mutex_;
  const gpuio_cuda_table* table_ = nullptr;
  std::optional<Result<int>> count_;  ///< Asked for once; neither drivers nor devices come and go in a process.
  std::vector<int> opened_;           ///< Each new device is connected to these.
};

}  // namespace gpuio::cuda
