// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace gpuio::bench {

/// Counts calls of operator new, by any thread, while it lives. One at a time.
class AllocationCount {
 public:
  AllocationCount();
  ~AllocationCount();
  AllocationCount(const AllocationCount&) = delete;
  AllocationCount& operator=(const AllocationCount&) = delete;

  [[nodiscard]] std::uint64_t so_far() const;
};

}  // namespace gpuio::bench
