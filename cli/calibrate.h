// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/terminal.h"
#include "gpuio/cost_model.hpp"

namespace gpuio::cli {

/// A model as tables for people, and what the planner takes from it. What was not measured is "-".
std::string text_of(const CostModel& model, const Terminal& out);

}  // namespace gpuio::cli
