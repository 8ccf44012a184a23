// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gpuio/gpuio.hpp"
#include "sim/device.h"
#include "sim/executor.h"
#include "sim/file_system.h"

namespace gpuio::tests {

/// What a simulated machine is made of.
struct WorldOptions {
  std::uint64_t seed = 0;
  sim::DiskModel disk;
  std::vector<sim::DeviceModel> devices{{}};
  std::map<std::string, std::string> settings;
  unsigned workers = 3;

  /// A machine of some seed's: disk, devices and settings are drawn.
  static WorldOptions draw(std::uint64_t seed);
};

/// The library on a simulated machine: host devices behind faults, the local engine over a simulated disk (`sim://`),
/// one thread. Faults strike once `fate->set_plan` says so.
class World {
 public:
  explicit World(const WorldOptions& options);

  /// Ends the Context and makes a new one, on the same disk.
  void restart();
  void stop() { context.reset(); }

  std::shared_ptr<sim::Fate> fate;
  std::shared_ptr<sim::Executor> executor;
  std::shared_ptr<sim::FileSystem> files;
  std::shared_ptr<sim::Ledger> ledger;
  std::optional<Context> context;

 private:
  WorldOptions options_;
};

}  // namespace gpuio::tests
