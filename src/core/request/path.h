// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/spi/engine.h"

namespace gpuio::core {

/// How bytes get between an engine's host memory and their place.
enum class Carriage : std::uint8_t {
  in_place,     ///< The engine moves them straight to or from the caller's memory.
  slab_copy,    ///< Pinned slab, copy engine.
  slab_kernel,  ///< Pinned slab, one kernel for many pieces.
  lent_copy,    ///< The store's own pages, registered, copy engine.
  kept_copy,    ///< As lent_copy, pages still registered from an earlier load.
  lent_kernel,  ///< As lent_copy, read by a kernel.
  kept_kernel,  ///< As lent_kernel, pages still registered from an earlier load.
  inline_read,  ///< On the caller's thread.
  device_copy,  ///< No store: between two Regions, or a fill, by the device's copy engine.
  pool_copy,    ///< No store: by workers of the pool, in memory that the host reaches.
  copy_kernel,  ///< No store: between two Regions, by one kernel for many pieces.
  packed_copy,  ///< No store: many pieces that workers of the pool pack in a pinned slab, copy engine; or back.
};
inline constexpr std::size_t kCarriages = 12;
inline constexpr std::size_t kWays = 3;

std::string_view to_string(Carriage carriage) noexcept;

/// Out of the store's own pages.
constexpr bool is_lent(Carriage carriage) noexcept {
  return carriage >= Carriage::lent_copy && carriage <= Carriage::kept_kernel;
}

/// A Path: one of the few ways a run can go. Small enough to count bytes per Path in each Request.
struct Path {
  spi::Way way = spi::Way::cached;
  Carriage carriage = Carriage::in_place;

  [[nodiscard]] std::size_t index() const noexcept {
    return static_cast<std::size_t>(way) * kCarriages + static_cast<std::size_t>(carriage);
  }
};
inline constexpr std::size_t kPaths = kWays * kCarriages;

}  // namespace gpuio::core
