// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

/// What the kernel says of this process's memory in /proc/self/numa_maps: the witness that is not ours.
namespace gpuio::guest {

/// A mapping, as the kernel tells it.
struct KernelMapping {
  std::string policy;                          ///< "default", "bind:2", "interleave:0-2"
  std::map<int, std::uint64_t> bytes_by_node;  ///< Of pages that are there.

  [[nodiscard]] std::uint64_t on(int node) const {
    const auto found = bytes_by_node.find(node);
    return found == bytes_by_node.end() ? 0 : found->second;
  }
  [[nodiscard]] std::uint64_t total() const;
};

/// All mappings that touch [base, base + bytes), as one. Those of other memory, next to it, may be counted in.
[[nodiscard]] KernelMapping kernel_mapping(const std::byte* base, std::uint64_t bytes);

}  // namespace gpuio::guest
