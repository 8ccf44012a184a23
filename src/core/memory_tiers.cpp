// SPDX-License-Identifier: Apache-2.0
#include "core/memory_tiers.h"

#include <numaif.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string>
#include <system_error>

#include "base/align.h"

namespace gpuio::core {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::uint64_t kSamples = 8;

/// The node of a dax device that serves as memory; -1 if it doesn't, or is of no CXL region.
int cxl_node_of(const std::filesystem::path& device) {
  std::error_code error;
  const auto driver = std::filesystem::read_symlink(device / "driver", error);
  if (error || driver.filename() != "kmem") return -1;
  const auto place = std::filesystem::canonical(device, error);
  // A dax device hangs below what made it: .../root0/decoder0.0/region0/dax_region0/dax0.0
  if (error || place.string().find("/decoder") == std::string::npos) return -1;
  std::ifstream file(device / "target_node");
  int node = -1;
  return file >> node ? node : -1;
}

}  // namespace

MemoryTiers MemoryTiers::of_system(const std::filesystem::path& root) {
  std::vector<int> nodes;
  std::error_code error;
  for (const auto& device : std::filesystem::directory_iterator(root / "bus/dax/devices", error)) {
    const int node = cxl_node_of(device.path());
    if (node >= 0 && std::find(nodes.begin(), nodes.end(), node) == nodes.end()) nodes.push_back(node);
  }
  std::sort(nodes.begin(), nodes.end());
  return MemoryTiers(std::move(nodes));
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
