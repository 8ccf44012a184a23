// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/cost_model/session.h"
#include "gpuio/context.hpp"
#include "gpuio/cost_model.hpp"

namespace gpuio::core {

/// Measures a file of its own in `folder`, which is gone afterwards, through `context`. Rates past the page cache are 0
/// where the file system has no such way. Fails with `cancelled`, or as Context::open, read and write.
[[nodiscard]] Result<FolderCost> measure_folder(const Session& session, const Context& context,
                                                const std::string& folder);

}  // namespace gpuio::core
