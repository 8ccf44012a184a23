// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "gpuio/gpuio.hpp"

namespace gpuio::tests {

/// A Context for tests on a GPU. Its library is where it was built; on a machine that the program was copied to, the
/// loader finds the one beside the program.
inline Context gpu_context(const std::map<std::string, std::string>& settings = {}) {
  ContextOptions options;
  for (const auto& [key, value] : settings) throw_if_failed(options.settings.set(key, value));
  if (std::filesystem::exists(GPUIO_CUDA_LIBRARY)) {
    throw_if_failed(options.settings.set("device.cuda_library", GPUIO_CUDA_LIBRARY));
  }
  return Context::create(options).value();
}

}  // namespace gpuio::tests
