// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "gpuio/layout.hpp"

namespace gpuio::core {

/// A Layout and the address that its offsets count from; the default Layout means [0, bytes).
struct PlacedLayout {
  const Layout& layout;
  std::uint64_t base = 0;
};

/// Whether two Layouts of `bytes` name an address in common. Lists are sorted, so each costs one allocation; blocks at
/// equal distances need none.
[[nodiscard]] bool layouts_overlap(const PlacedLayout& a, const PlacedLayout& b, std::uint64_t bytes);

}  // namespace gpuio::core
