// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/cost_model/session.h"
#include "core/spi/device.h"
#include "gpuio/cost_model.hpp"

namespace gpuio::core {

/// Measures copies to and from `device` by size, pieces by copy engine and by kernel, rows by kernel, and what a launch
/// and registering memory cost. Nothing else may use the device meanwhile. Takes 64 MiB of its memory and up to 600 MiB
/// of host memory for the time. Fails with `cancelled`, `out_of_memory`, or what the device reports.
[[nodiscard]] Result<DeviceCost> measure_device(const Session& session, spi::Device& device);

}  // namespace gpuio::core
