// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "engine/local/local_engine.h"

namespace gpuio::local {

/// What this machine lets the local engine do: io_uring, cachestat, O_DIRECT, memlock limit; each "no" with its fix.
[[nodiscard]] std::vector<Finding> diagnose_system(const QueueChoice& choice);

}  // namespace gpuio::local
