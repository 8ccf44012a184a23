// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/spi/engine.h"

namespace gpuio::mem {

/// Which pages a memory consists of.
enum class HugePages : std::uint8_t { no, transparent, two_mib, one_gib };

/// Bytes of a page that has to be asked for by its size; 0 of the others.
[[nodiscard]] std::uint64_t page_bytes_of(HugePages pages) noexcept;

/// What the parameters of a URI said; each name belongs to one scheme.
struct Parameters {
  // mem://
  std::uint64_t size_bytes = 0;  ///< 0: not given.
  std::string name;              ///< Empty: the process's own, gone with the last Store of it.
  HugePages huge = HugePages::no;
  std::optional<int> numa_node;
  std::uint64_t reserve_bytes = 0;  ///< Addresses to grow into; 0: some.
  bool temporary = false;           ///< The name goes when the Store does.
  // cxl://
  std::uint64_t page_bytes = 0;  ///< Of a file that stands in for a device; 0: as most devices.
  std::optional<bool> coherent;  ///< All who share the memory see each other's stores without flushes.
};

/// Fails with `invalid_argument` (unknown, of the other scheme, no such value) and names the parameter.
[[nodiscard]] Result<Parameters> read_parameters(const spi::Uri& uri);

}  // namespace gpuio::mem
