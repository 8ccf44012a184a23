// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/shell.h"

namespace gpuio::cli {

// Each adds its subcommand to `root`; when the command line names it, parsing sets `chosen.run`. Both must outlive
// parsing.

void add_load(CLI::App& root, Command& chosen);
void add_copy(CLI::App& root, Command& chosen);
void add_doctor(CLI::App& root, Command& chosen);
void add_calibrate(CLI::App& root, Command& chosen);
void add_pool(CLI::App& root, Command& chosen);
void add_stat(CLI::App& root, Command& chosen);
void add_config(CLI::App& root, Command& chosen);
void add_completion(CLI::App& root, Command& chosen);
void add_topology(CLI::App& root, Command& chosen);
void add_version(CLI::App& root, Command& chosen);

}  // namespace gpuio::cli
