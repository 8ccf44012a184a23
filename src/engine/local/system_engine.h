// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/local/local_engine.h"

namespace gpuio::local {

/// An engine over the operating system: its files, and the best storage queue that works here, found by trying.
[[nodiscard]] EngineOptions system_options();

/// io_uring, or pool threads where it is refused (with the reason) or not wanted.
[[nodiscard]] QueueChoice choose_queue(spi::Executor& executor, spi::FileSystem& files, const LocalSettings& settings);

}  // namespace gpuio::local
