// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/spi/engine.h"
#include "sim/file_system.h"

namespace gpuio::sim {

/// `sim://name?seed=7&size=16MiB&latency=100us&fault=0.01` in an ordinary Context: a file of that size, filled from the
/// seed, behind a disk of that latency, on which every kind of fault strikes with that probability. The real engine
/// over it is made by whoever knows one (`make`), so that its own code meets the faults. A name keeps what is written
/// to it as long as the engine lives; its parameters count when it is first opened.
struct EnginePieces {
  std::shared_ptr<spi::FileSystem> files;
  std::function<std::unique_ptr<spi::StorageQueue>(spi::Executor&)> make_queue;
};
using EngineMaker = std::function<std::unique_ptr<spi::Engine>(const spi::EngineHost&, EnginePieces)>;

[[nodiscard]] std::unique_ptr<spi::Engine> make_engine(const spi::EngineHost& host, const EngineMaker& make);

}  // namespace gpuio::sim
