// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gpuio/memory.hpp"
#include "gpuio/status.hpp"

namespace gpuio::core {

class MappedMemory;

/// What a Region's memory stands on. Ends when the last holder of the Region lets go, and gives back what was taken; a
/// failure has nobody to go to then and is logged.
class RegionBacking {
 public:
  RegionBacking() = default;
  virtual ~RegionBacking() = default;
  RegionBacking(const RegionBacking&) = delete;
  RegionBacking& operator=(const RegionBacking&) = delete;

  /// Whether the bytes are what they seem (Buffer::check). Any thread.
  [[nodiscard]] virtual Status check() const { return {}; }

  /// Who else reaches it.
  [[nodiscard]] virtual Sharing sharing() const noexcept { return {}; }

  /// The mapping of a store that it is, or null.
  [[nodiscard]] virtual MappedMemory* mapped() noexcept { return nullptr; }
};

}  // namespace gpuio::core
