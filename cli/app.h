// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include <CLI/CLI.hpp>

#include "cli/shell.h"

namespace gpuio::cli {

/// The whole tree of commands. `chosen` must outlive parsing and the chosen command's run.
std::unique_ptr<CLI::App> make_app(Command& chosen);

/// Parses and runs; prints every error. What main returns.
ExitCode run_app(int argc, const char* const* argv, const Shell& shell);

}  // namespace gpuio::cli
