// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <utility>

#include "assembly/kernels/host_kernels.h"
#include "base/random.h"
#include "core/context_state.h"
#include "device/host/driver.h"
#include "engine/local/local_engine.h"
#include "sim/queue.h"

namespace gpuio::tests {
namespace {

template <class T>
const T& pick(base::Random& random, const std::vector<T>& choices) {
  return choices[random.uniform(choices.size())];
}

std::string bytes_text(std::uint64_t bytes) { return std::to_string(bytes); }

}  // namespace

WorldOptions WorldOptions::draw(std::uint64_t seed) {
  base::Random random(seed);
  WorldOptions options;
  options.seed = seed;
  options.workers = 1 + static_cast<unsigned>(random.uniform(4));
  options.devices.resize(1 + random.uniform(3));
  for (std::size_t i = 1; i < options.devices.size(); ++i) options.devices[i].memory_is_host = false;

  sim::DiskModel& disk = options.disk;
  disk.latency_ns = 1000 + random.uniform(200'000);
  disk.bytes_per_second = 100'000'000 + random.uniform(8'000'000'000);
  disk.direct_alignment = pick<std::uint32_t>(random, {0, 512, 512, 4096});
  disk.reported_alignment = pick<std::uint32_t>(random, {0, 512, 512, 4096});
  disk.tells_residency = random.chance(0.8);
  disk.knows_no_wait = random.chance(0.8);
  disk.is_memory = random.chance(0.25);

  auto& settings = options.settings;
  const std::string hot_path = pick<std::string>(random, {"auto", "copy", "register", "register", "kernel"});
  // Pages are lent a megabyte or more at a time, within one slab's length.
  const bool lends = hot_path == "register" || hot_path == "kernel";
  const std::uint64_t doublings = lends && random.chance(0.6) ? 5 : random.uniform(6);
  const std::uint64_t slab_bytes = std::uint64_t{64} << (10U + doublings);
  const std::uint64_t slabs = options.devices.size() + 1 + random.uniform(6);
  settings["memory.slab_bytes"] = bytes_text(slab_bytes);
  settings["memory.pinned_budget_bytes"] = bytes_text(slab_bytes * slabs + random.uniform(slab_bytes));
  settings["memory.registered_budget_bytes"] = bytes_text(random.chance(0.7) ? 0 : random.uniform(8ULL << 20U));
  settings["scheduler.inline_bytes_max"] = bytes_text(random.chance(0.5) ? 0 : random.uniform(64U << 10U));
  settings["scheduler.coalesce_gap_bytes"] = bytes_text(random.uniform(32U << 10U));
  settings["scheduler.retry_max"] = std::to_string(random.uniform(6));
  settings["scheduler.queue_depth_max"] = std::to_string(8 + random.uniform(1000));
  settings["local.queue_depth_max"] = std::to_string(1 + random.uniform(64));
  settings["local.direct"] = pick<std::string>(random, {"auto", "auto", "always", "never"});
  settings["local.direct_bytes_min"] = bytes_text(random.uniform(128U << 10U));
  settings["local.read_bytes_max"] = bytes_text(4096 + random.uniform(256U << 10U));
  settings["local.hot_path"] = hot_path;
  settings["local.fill_threads"] = std::to_string(random.uniform(4));
  return options;
}

World::World(const WorldOptions& options) : options_(options) {
  fate = std::make_shared<sim::Fate>(options.seed);
  executor = std::make_shared<sim::Executor>(fate, sim::Executor::Options{.workers = options.workers});
  auto pass_time = [executor = executor](std::uint64_t duration_ns) { executor->clock().advance(duration_ns); };
  files = std::make_shared<sim::FileSystem>(fate, options.disk, std::move(pass_time));
  ledger = std::make_shared<sim::Ledger>();
  restart();
}

void World::restart() {
  context.reset();
  ContextOptions options{Settings(), Drive::threads};
  options_.settings["log.level"] = "off";
  for (const auto& [key, value] : options_.settings) throw_if_failed(options.settings.set(key, value));
  core::Parts parts;
  parts.executor = executor;
  parts.devices.push_back([this](const spi::EngineHost& host) -> std::unique_ptr<spi::DeviceDriver> {
    const int count = static_cast<int>(options_.devices.size());
    auto driver = std::make_unique<host::Driver>(host.executor, count, assembly::host_kernels());
    return std::make_unique<sim::Driver>(std::move(driver), fate, host.executor, ledger, options_.devices);
  });
  parts.engines.push_back([this](const spi::EngineHost& host) -> std::unique_ptr<spi::Engine> {
    local::EngineOptions engine{{"sim"}, files, nullptr, nullptr};
    engine.make_queue = [this](spi::Executor& with, spi::FileSystem&, const local::LocalSettings&) {
      return local::QueueChoice{std::make_unique<sim::Queue>(fate, files, with.clock()), ""};
    };
    return local::make_engine(host, std::move(engine));
  });
  context = core::ContextState::create(options, std::move(parts)).value();
}

}  // namespace gpuio::tests
