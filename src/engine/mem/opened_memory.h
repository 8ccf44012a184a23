// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "core/spi/engine.h"

namespace gpuio::mem {

/// Memory behind a descriptor, and what a store has to know of it.
struct OpenedMemory {
  base::UniqueFd descriptor;
  std::string name;     ///< For messages: "/dev/dax0.0", "shared memory /weights".
  std::string made_of;  ///< For Store::explain.
  std::string_view tier;
  std::uint64_t size_bytes = 0;
  std::uint64_t page_bytes = 0;     ///< As core::MappedFile.
  std::uint64_t reserve_bytes = 0;  ///< Addresses for the store's own mapping.
  std::optional<int> numa_node;     ///< Pages are to come from there.
  bool writable = false;
  bool is_device = false;  ///< Its descriptor does not tell its size.
  bool can_grow = false;
  bool lendable = false;  ///< Devices may register its pages.
  Sharing sharing{Reach::host};
  bool huge_transparent = false;
  std::function<void()> closed;  ///< What is to be done when the store goes. May be empty.
};

/// `mem://dram?...`: memory of this process, or under a name that other processes open. Fails with `not_found` (no such
/// name, no such NUMA node), `already_exists`, `invalid_argument`, `out_of_memory` (no huge pages), `unsupported`.
[[nodiscard]] Result<OpenedMemory> open_dram(const spi::Uri& uri, const OpenOptions& options);

/// `cxl:///dev/dax0.0`: a dax device, or a file that stands in for one. `sys` is where sysfs is: tests have their own.
/// Fails with `not_found`, `invalid_argument` (neither of the two; a size that is not whole pages), `unsupported`.
[[nodiscard]] Result<OpenedMemory> open_dax(const spi::Uri& uri, const OpenOptions& options,
                                            const std::string& sys = "/sys");

}  // namespace gpuio::mem
