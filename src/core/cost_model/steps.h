// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/cost_model/session.h"
#include "gpuio/cost_model.hpp"

namespace gpuio::core {

/// A part of a calibration that is worth a line to whoever waits for it.
struct Step {
  std::string name;
  double weight = 1;  ///< How long it takes, beside the others.
  std::function<Status()> run;
};

using ProgressFunction = std::function<bool(const CalibrationProgress&)>;

/// Runs them in their order, telling `progress` before each and at the end; stops at the first that fails. A step is
/// destroyed when it has run, and with it what it holds. Fails as a step did, or with `cancelled` where `progress`
/// returned false.
[[nodiscard]] Status run_steps(std::vector<Step> steps, const ProgressFunction& progress);

}  // namespace gpuio::core
