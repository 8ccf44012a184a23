// SPDX-License-Identifier: Apache-2.0
#include "assembly/parts.h"

#include "assembly/kernels/host_kernels.h"
#include "core/context_state.h"
#include "core/settings/settings_values.h"
#include "device/cuda/driver.h"
#include "device/host/driver.h"
#include "engine/local/local_engine.h"
#include "engine/local/system_engine.h"
#include "engine/mem/mem_engine.h"
#include "sim/engine.h"

namespace gpuio::assembly {
namespace {

std::unique_ptr<spi::Engine> simulated_local_engine(const spi::EngineHost& host, sim::EnginePieces pieces) {
  local::EngineOptions options{{"sim"}, std::move(pieces.files), nullptr, nullptr};
  options.make_queue = [make = std::move(pieces.make_queue)](auto& executor, auto&, const auto&) {
    return local::QueueChoice{make(executor), ""};
  };
  return local::make_engine(host, std::move(options));
}

}  // namespace

core::Parts parts() {
  core::Parts parts;
  parts.devices.push_back([](const spi::EngineHost& host) -> std::unique_ptr<spi::DeviceDriver> {
    if (host.settings.device_cuda == "off") return nullptr;
    cuda::LoadOptions options;
    options.library = host.settings.device_cuda_library;
    return std::make_unique<cuda::Driver>(std::move(options));
  });
  parts.devices.push_back([](const spi::EngineHost& host) -> std::unique_ptr<spi::DeviceDriver> {
    return std::make_unique<host::Driver>(host.executor, static_cast<int>(host.settings.device_host_count),
                                          host_kernels());
  });
  parts.engines.push_back([](const spi::EngineHost& host) -> std::unique_ptr<spi::Engine> {
    return local::make_engine(host, local::system_options());
  });
  parts.engines.push_back([](const spi::EngineHost& host) { return mem::make_engine(host); });
  parts.engines.push_back([](const spi::EngineHost& host) { return sim::make_engine(host, simulated_local_engine); });
  return parts;
}

}  // namespace gpuio::assembly

namespace gpuio {

Result<Context> Context::create() {
  Result<Settings> settings = Settings::load();
  if (!settings) return std::move(settings).error();
  return create(ContextOptions{*std::move(settings), Drive::threads});
}

Result<Context> Context::create(const ContextOptions& options) {
  return core::ContextState::create(options, assembly::parts());
}

}  // namespace gpuio
