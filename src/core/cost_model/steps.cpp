// SPDX-License-Identifier: Apache-2.0
#include "core/cost_model/steps.h"

namespace gpuio::core {

Status run_steps(std::vector<Step> steps, const ProgressFunction& progress) {
  double total = 0;
  for (const Step& step : steps) total += step.weight;
  const auto tell = [&](std::string_view name, double done) {
    const bool goes_on = !progress || progress({name, done});
    return goes_on ? Status() : Status(Code::cancelled, "the calibration was cancelled");
  };
  double done = 0;
  for (Step& step : steps) {
    GPUIO_TRY(tell(step.name, done / total));
    GPUIO_TRY(step.run());
    done += step.weight;
    step.run = nullptr;
  }
  return tell("done", 1);
}

}  // namespace gpuio::core
