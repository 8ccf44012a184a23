// SPDX-License-Identifier: Apache-2.0
#include "regions/peer.h"

#include <sys/socket.h>

#include <utility>
#include <vector>

#include "assembly/kernels/host_kernels.h"
#include "assembly/parts.h"
#include "core/context_state.h"
#include "device/host/driver.h"
#include "gpuio/gpuio.hpp"
#include "regions/region_kinds.h"
#include "support/handle_device.h"

namespace gpuio::tests {

core::Parts region_parts(std::shared_ptr<FarRules> rules, FakeEngine*& fake) {
  core::Parts parts = assembly::parts();
  parts.devices.push_back(
      [rules = std::move(rules)](const spi::EngineHost& host) -> std::unique_ptr<spi::DeviceDriver> {
        return std::make_unique<FarDriver>(std::make_unique<host::Driver>(host.executor, 2, assembly::host_kernels()),
                                           rules);
      });
  parts.devices.push_back([](const spi::EngineHost& host) -> std::unique_ptr<spi::DeviceDriver> {
    return std::make_unique<HandleDriver>(std::make_unique<host::Driver>(host.executor, 1, assembly::host_kernels()),
                                          "0000:aa:00.0");
  });
  parts.engines.push_back([&fake](const spi::EngineHost&) {
    auto engine = std::make_unique<FakeEngine>();
    fake = engine.get();
    return engine;
  });
  return parts;
}

int serve_regions(int socket) {
  std::optional<Context> context;
  std::vector<Buffer> memories;
  std::vector<Share> shares;
  for (char asked = 0; ::recv(socket, &asked, 1, 0) == 1;) {
    if (!context) {
      FakeEngine* fake = nullptr;
      context.emplace(
          core::ContextState::create({Settings(), Drive::threads}, region_parts(std::make_shared<FarRules>(), fake))
              .value());
    }
    if (asked == static_cast<char>(PeerGives::memory)) {
      const OpenOptions create{.mode = OpenMode::create, .size_bytes = kRegionBytes};
      memories.push_back(
          context->map(context->open("mem://dram", create).value(), {.access = MapAccess::read_write}).value());
    } else {
      memories.push_back(context->device("handle:0").value().allocate(kRegionBytes).value());
    }
    Result<Share> shared = share(socket, memories.back());
    if (!shared) return 1;
    shares.push_back(*std::move(shared));
  }
  return 0;
}

}  // namespace gpuio::tests
