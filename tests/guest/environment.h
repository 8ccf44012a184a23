// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <stdexcept>
#include <string>

/// What a lane tells the programs that it runs (lane/lanes.py).
namespace gpuio::guest {

/// Whether the lane has set it.
inline bool given(const char* variable) { return std::getenv(variable) != nullptr; }

/// Its value; a lane that lacks one is a bug of the lane.
inline std::string text_of(const char* variable) {
  const char* const value = std::getenv(variable);
  if (value == nullptr) throw std::runtime_error(std::string(variable) + " is not set: run this by tools/guest_test");
  return value;
}

/// Its value as a number.
inline int number_of(const char* variable) { return std::stoi(text_of(variable)); }

}  // namespace gpuio::guest
