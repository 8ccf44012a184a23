// SPDX-License-Identifier: Apache-2.0
// What is measured, in which order.
#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <memory>
#include <utility>

#include "base/log.h"
#include "core/context_state.h"
#include "core/cost_model/device_probe.h"
#include "core/cost_model/fingerprint.h"
#include "core/cost_model/folder_probe.h"
#include "core/cost_model/memory_probe.h"
#include "core/cost_model/steps.h"

namespace gpuio {
namespace {

using core::Session;
using core::Step;

std::string time_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec);
}

/// One node's probe, from its first step to its last.
using ProbeSlot = std::shared_ptr<std::unique_ptr<core::MemoryProbe>>;

/// A node that has nothing free is left out: its neighbours' costs are worth having.
Status start_probe(const Session& session, const core::UsableNode& node, const ProbeSlot& slot) {
  auto probe = core::MemoryProbe::start(session, node);
  if (!probe && probe.error().code() != Code::out_of_memory) return std::move(probe).error();
  if (probe) {
    *slot = *std::move(probe);
  } else {
    GPUIO_LOG(warn, "core", fmt::format("node {} is not measured: {}", node.node, probe.error().to_string()));
  }
  return {};
}

void add_node_steps(const Session& session, const core::UsableNode& node, CostModel& model, std::vector<Step>& steps) {
  const auto slot = std::make_shared<std::unique_ptr<core::MemoryProbe>>();
  const auto add = [&](std::string_view what, double weight, Status (core::MemoryProbe::*measure)()) {
    steps.push_back({fmt::format("node {}: {}", node.node, what), weight,
                     [slot, measure] { return *slot ? ((**slot).*measure)() : Status(); }});
  };
  steps.push_back({fmt::format("node {}: memory to measure", node.node), 2,
                   [&session, node, slot] { return start_probe(session, node, slot); }});
  add("reads, writes, copies", 6, &core::MemoryProbe::measure_bandwidth);
  add("latency", 3, &core::MemoryProbe::measure_latency);
  add("rows", 10, &core::MemoryProbe::measure_rows);
  add("atomics", 2, &core::MemoryProbe::measure_atomics);
  steps.push_back({fmt::format("node {}: done", node.node), 0, [slot, &model] {
                     if (*slot) model.memory.push_back((*slot)->cost());
                     return Status();
                   }});
}

/// Opens them: whether host code reaches a device's memory is only known then. One that can't be opened is left out.
std::vector<std::shared_ptr<spi::Device>> accelerators_of(const Context& context) {
  std::vector<std::shared_ptr<spi::Device>> devices;
  for (const std::string& name : context.device_names()) {
    auto device = context.state()->open_device(name);
    if (!device) {
      GPUIO_LOG(warn, "core", name + " is not measured: " + device.error().to_string());
    } else if (!(*device)->memory_is_host()) {
      devices.push_back(*std::move(device));
    }
  }
  return devices;
}

std::vector<Step> all_steps(const Session& session, const Context& context, const CalibrateOptions& options,
                            CostModel& model) {
  std::vector<Step> steps;
  steps.push_back({"the processor", 5, [&session, &model]() -> Status {
                     GPUIO_ASSIGN(model.processor, core::measure_processor(session));
                     return {};
                   }});
  for (const core::UsableNode& node : core::usable_nodes()) add_node_steps(session, node, model, steps);
  if (options.devices) {
    for (const auto& device : accelerators_of(context)) {
      steps.push_back({device->info().name, 30, [&session, device, &model]() -> Status {
                         GPUIO_ASSIGN(DeviceCost cost, core::measure_device(session, *device));
                         model.devices.push_back(std::move(cost));
                         return {};
                       }});
    }
  }
  for (const std::string& folder : options.folders) {
    steps.push_back({folder, 30, [&session, &context, folder, &model]() -> Status {
                       GPUIO_ASSIGN(FolderCost cost, core::measure_folder(session, context, folder));
                       model.folders.push_back(std::move(cost));
                       return {};
                     }});
  }
  return steps;
}

}  // namespace

Result<CostModel> calibrate(const Context& context, const CalibrateOptions& options) {
  const base::SystemClock clock;
  const Session session{clock, options.quick, options.cancelled};
  CostModel model;
  model.machine = core::this_machine();
  model.measured_at = time_now();
  model.quick = options.quick;
  GPUIO_TRY(core::run_steps(all_steps(session, context, options, model), options.progress));
  return model;
}

}  // namespace gpuio
