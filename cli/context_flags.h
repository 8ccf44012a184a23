// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "gpuio/context.hpp"

namespace CLI {
class App;
}  // namespace CLI

namespace gpuio::cli {

/// Where a command's settings come from: `--config FILE` and `--set KEY=VALUE`, over the environment.
struct ContextFlags {
  std::string file;
  std::vector<std::string> assignments;

  /// Throws gpuio::Error: as Settings::load and Settings::set.
  [[nodiscard]] Settings settings() const;
  [[nodiscard]] Context open() const;
};

/// Adds both options; `flags` must outlive parsing.
void add_context_flags(CLI::App& app, ContextFlags& flags);

}  // namespace gpuio::cli
