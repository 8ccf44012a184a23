// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace gpuio::tests {

/// Counts calls of operator new, by any thread, while it lives. One at a time. A program that has allocation_count.cpp
/// among its sources counts; sanitizers see less of what it allocates.
class AllocationCount {
 public:
  AllocationCount();
  ~AllocationCount();
  AllocationCount(const AllocationCount&) = delete;
  AllocationCount& operator=(const AllocationCount&) = delete;

  [[nodiscard]] std::uint64_t so_far() const;
};

}  // namespace gpuio::tests
