// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "device/host/kernels.h"

namespace gpuio::assembly {

/// Every kernel of spi::KernelId, instantiated for the host device.
[[nodiscard]] const host::KernelTable& host_kernels();

}  // namespace gpuio::assembly
