// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "core/cost_model/cost_model.h"
#include "core/cost_model/fingerprint.h"

namespace gpuio::tests {

/// A model of this machine by which rows of any length, in memory of any kind, go quickest as said of each device.
inline CostModel planted_model(const std::map<std::string, core::RowWay>& quickest) {
  constexpr double kSlow = 1e3;
  constexpr double kQuick = 1e12;
  CostModel model;
  model.machine = core::this_machine();
  model.measured_at = "2026-03-01T12:00:00Z";
  MemoryCost memory;
  memory.rows = {{128, kSlow, 1e9}};  // Slower than a device's own ways where those are quick.
  model.memory.push_back(memory);
  for (const auto& [device, way] : quickest) {
    const double kernel = way == core::RowWay::kernel ? kQuick : kSlow;
    const double copy_engine = way == core::RowWay::copy_engine ? 128 * kQuick : kSlow;
    DeviceCost cost;
    cost.name = device;
    cost.link = {{1U << 20U, 128 * kQuick, 128 * kQuick}};
    cost.pieces = {{128, copy_engine, kernel}};
    cost.rows = {{128, kernel, kernel}};
    model.devices.push_back(cost);
  }
  return model;
}

/// A name for tests of each way.
inline std::string row_way_name(const testing::TestParamInfo<core::RowWay>& way) {
  switch (way.param) {
    case core::RowWay::kernel:
      return "Kernel";
    case core::RowWay::copy_engine:
      return "CopyEngine";
    case core::RowWay::staged:
      break;
  }
  return "Staged";
}

}  // namespace gpuio::tests
