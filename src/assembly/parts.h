// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/parts.h"

namespace gpuio::assembly {

/// Every device family and every engine of this build. A new one is a line in parts.cpp.
[[nodiscard]] core::Parts parts();

}  // namespace gpuio::assembly
