// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifdef GPUIO_PLANTED_BUGS
#include <cstdlib>
#include <string_view>
#endif

namespace gpuio::base {

// Bugs that the tests must notice, to test the tests. Use: `if (base::planted_bug("short_read_ends_the_run")) ...`.
// tests/planted/bugs.txt lists each with the tests that notice it; tools/plant_bug runs them. In an ordinary build
// every use folds to nothing.
#ifdef GPUIO_PLANTED_BUGS
inline bool planted_bug(std::string_view name) noexcept {
  static const char* const chosen = std::getenv("GPUIO_PLANTED_BUG");
  return chosen != nullptr && name == chosen;
}
#else
consteval bool planted_bug(const char* /*name*/) noexcept { return false; }
#endif

}  // namespace gpuio::base
