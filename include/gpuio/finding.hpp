// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace gpuio {

/// One line of what a machine can do: `gpuio doctor` prints them.
struct Finding {
  /// How much it matters.
  enum class Level : std::uint8_t { ok, note, warning, problem };
  Level level = Level::ok;  ///< Of this line.
  std::string subject;      ///< "io_uring", "cuda", "huge pages"
  std::string text;         ///< What was found, with the reason.
  std::string fix;          ///< What would change it; empty where nothing needs to.
};

}  // namespace gpuio
