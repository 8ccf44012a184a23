// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "core/spi/device.h"
#include "core/spi/engine.h"
#include "core/spi/executor.h"

namespace gpuio::core {

/// What a Context is made of besides the core: every family of devices and every engine there is. Assembly fills it for
/// users, tests and the simulator for themselves.
struct Parts {
  /// Null from one: switched off by the settings.
  std::vector<std::function<std::unique_ptr<spi::DeviceDriver>(const spi::EngineHost&)>> devices;
  std::vector<std::function<std::unique_ptr<spi::Engine>(const spi::EngineHost&)>> engines;
  /// Drives everything; null: as ContextOptions::drive says.
  std::shared_ptr<spi::Executor> executor;
};

}  // namespace gpuio::core
