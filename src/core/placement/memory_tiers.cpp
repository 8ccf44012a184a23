// SPDX-License-Identifier: Apache-2.0
#include "core/placement/memory_tiers.h"

#include <numaif.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/align.h"
#include "core/topology/parts.h"

namespace gpuio::core {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::uint64_t kSamples = 8;

}  // namespace

MemoryTiers MemoryTiers::of_system(const std::filesystem::path& root) {
  Topology topology;
  topology::read_cxl(topology::Sysfs(root), topology);
  std::set<int> nodes;
  for (const DaxDevice& dax : topology.dax_devices) {
    if (dax.mode == DaxMode::system_ram && !dax.region.empty() && dax.target_node >= 0) nodes.insert(dax.target_node);
  }
  return MemoryTiers({nodes.begin(), nodes.end()});
}

bool MemoryTiers::reaches_cxl(const std::byte* memory, std::uint64_t bytes) const noexcept {
  if (cxl_nodes_.empty() || bytes == 0) return false;
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  std::array<void*, kSamples> pages{};
  std::array<int, kSamples> nodes{};
  nodes.fill(-1);
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    const std::uint64_t at = begin + (bytes - 1) / (kSamples - 1) * i;
    const std::uint64_t sample = i + 1 == kSamples ? begin + bytes - 1 : at;
    pages[i] = reinterpret_cast<void*>(base::align_down(sample, kPageBytes));  // NOLINT: the kernel takes addresses
  }
  // Pages that were never touched, and those of devices, have a negative answer.
  if (::move_pages(0, kSamples, pages.data(), nullptr, nodes.data(), 0) < 0) return false;
  return std::any_of(nodes.begin(), nodes.end(), [this](int node) {
    return std::find(cxl_nodes_.begin(), cxl_nodes_.end(), node) != cxl_nodes_.end();
  });
}

}  // namespace gpuio::core
