// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "cli/interrupt.h"
#include "gpuio/request.hpp"

namespace gpuio::cli {

/// Waits until `request` reports, calling `tick` about ten times a second and at the end. Throws gpuio::Error if it
/// failed; on Ctrl-C cancels it, waits until it is quiet and throws `cancelled`.
void await(const Request& request, const Interrupt& interrupt, const std::function<void(const Progress&)>& tick = {});

}  // namespace gpuio::cli
