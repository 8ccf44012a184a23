// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "core/spi/engine.h"

namespace gpuio::mem {

/// Opens `mem://` and `cxl://`. The executor must outlive it and its stores.
[[nodiscard]] std::unique_ptr<spi::Engine> make_engine(const spi::EngineHost& host);

}  // namespace gpuio::mem
