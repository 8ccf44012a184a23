// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

namespace gpuio::core {

/// Which host memory is CXL memory: pages of those NUMA nodes that the kernel made of it. Immutable, so thread-safe.
class MemoryTiers {
 public:
  /// As the topology of the machine under `root` tells: nodes of dax devices of a CXL region that serve as memory.
  static MemoryTiers of_system(const std::filesystem::path& root = "/");

  explicit MemoryTiers(std::vector<int> cxl_nodes) : cxl_nodes_(std::move(cxl_nodes)) {}

  [[nodiscard]] const std::vector<int>& cxl_nodes() const noexcept { return cxl_nodes_; }

  /// Whether some of a few pages of the range lie there: its first and last, and some between. Costs nothing where
  /// there are no such nodes, else a system call.
  [[nodiscard]] bool reaches_cxl(const std::byte* memory, std::uint64_t bytes) const noexcept;

 private:
  std::vector<int> cxl_nodes_;
};

}  // namespace gpuio::core
