// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include "cli/shell.h"
#include "gpuio/status.hpp"

namespace gpuio::cli {

/// Keeps keys in the order in which they were written, so that output is stable and reads well.
using Json = nlohmann::ordered_json;

/// {code, message, scope, retryable, native}
Json to_json(const Status& status);

/// Writes one object and a newline to stdout; bytes that are not UTF-8 (file names) are replaced.
void print_json(const Shell& shell, const Json& value);

}  // namespace gpuio::cli
