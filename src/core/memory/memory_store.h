// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "core/spi/engine.h"

namespace gpuio::core {

/// Host memory that no copy engine reaches, as a store: so a copy between it and a device takes the slabs' way like any
/// transfer. Offsets are addresses; it holds nothing (the Request holds the Region). Moves bytes in pool tasks.
[[nodiscard]] std::shared_ptr<spi::Store> make_memory_store(spi::Executor& executor);

}  // namespace gpuio::core
