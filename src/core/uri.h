// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "core/spi/engine.h"
#include "gpuio/result.hpp"

namespace gpuio::core {

/// Parses `scheme://path?key=value&key=value` (RFC 3986, the parts we use; percent-decoded). Text without a scheme is a
/// path and means `file://`, taken as it is. Fails with `invalid_argument` and names the part.
[[nodiscard]] Result<spi::Uri> parse_uri(std::string_view text);

}  // namespace gpuio::core
