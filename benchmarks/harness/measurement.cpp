// SPDX-License-Identifier: Apache-2.0
#include "harness/measurement.h"

namespace gpuio::bench {

Context make_context(const std::map<std::string, std::string>& settings) {
  ContextOptions options{Settings()};
  for (const auto& [key, text] : settings) throw_if_failed(options.settings.set(key, text));
  return Context::create(options).value();
}

}  // namespace gpuio::bench
