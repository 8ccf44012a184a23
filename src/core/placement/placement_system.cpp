// SPDX-License-Identifier: Apache-2.0
#include "core/placement/placement_system.h"

#include <fcntl.h>
#include <numaif.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <limits>
#include <span>
#include <string>

#include "base/try.h"
#include "base/unique_fd.h"
#include "core/topology/parts.h"

namespace gpuio::core {
namespace {

#ifndef MADV_POPULATE_WRITE
constexpr int MADV_POPULATE_WRITE = 23;  // Linux 5.14
#endif

// <linux/fs.h> of Linux 6.7, which the system's headers may predate.
struct PageRegion {
  std::uint64_t start;
  std::uint64_t end;
  std::uint64_t categories;
};
struct ScanArguments {
  std::uint64_t size;
  std::uint64_t flags;
  std::uint64_t start;
  std::uint64_t end;
  std::uint64_t walk_end;
  std::uint64_t regions;
  std::uint64_t regions_count;
  std::uint64_t pages_max;
  std::uint64_t category_inverted;
  std::uint64_t category_mask;
  std::uint64_t category_any;
  std::uint64_t category_wanted;
};
static_assert(sizeof(ScanArguments) == 96);
constexpr unsigned long kPagemapScan = _IOWR('f', 16, ScanArguments);
constexpr std::uint64_t kPageIsHuge = 1U << 6U;

class LinuxPlacementSystem final : public PlacementSystem {
 public:
  Result<Topology> topology() override {
    Topology topology;
    GPUIO_TRY(topology::read_nodes(topology::Sysfs("/"), topology));
    return topology;
  }

  std::optional<std::vector<std::uint32_t>> kernel_weights(std::span<const int> nodes) override {
    const topology::Sysfs sysfs("/");
    std::vector<std::uint32_t> weights;
    for (const int node : nodes) {
      const std::string file = "sys/kernel/mm/mempolicy/weighted_interleave/node" + std::to_string(node);
      const std::uint64_t weight = sysfs.number_or(file, 0);
      if (weight == 0) return std::nullopt;
      weights.push_back(static_cast<std::uint32_t>(weight));
    }
    return weights;
  }

  std::size_t page_bytes() const noexcept override {
    static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return bytes;
  }

  int bind(std::byte* base, std::size_t bytes, MemoryMode mode, std::span<const int> nodes) override {
    constexpr std::size_t kBits = std::numeric_limits<unsigned long>::digits;
    std::vector<unsigned long> mask;
    for (const int node : nodes) {
      const auto id = static_cast<std::size_t>(node);
      if (mask.size() <= id / kBits) mask.resize(id / kBits + 1);
      mask[id / kBits] |= 1UL << (id % kBits);
    }
    // The kernel takes one bit less than it is told of.
    const unsigned long bits = mask.empty() ? 0 : mask.size() * kBits + 1;
    return ::mbind(base, bytes, static_cast<int>(mode), mask.empty() ? nullptr : mask.data(), bits, 0) == 0 ? 0 : errno;
  }

  int touch(std::byte* base, std::size_t bytes) override {
    if (::madvise(base, bytes, MADV_POPULATE_WRITE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return errno;
    for (std::size_t at = 0; at < bytes; at += page_bytes()) {
      auto* const word = reinterpret_cast<volatile char*>(base + at);
      *word = *word;
    }
    return 0;
  }

  int query(std::span<void* const> pages, std::span<int> places) override {
    return ::move_pages(0, pages.size(), const_cast<void**>(pages.data()), nullptr, places.data(), 0) == 0 ? 0 : errno;
  }

  int move(std::span<void* const> pages, std::span<const int> targets, std::span<int> places) override {
    // A positive result counts pages that stayed; who asks again afterwards sees which.
    const long left =
        ::move_pages(0, pages.size(), const_cast<void**>(pages.data()), targets.data(), places.data(), MPOL_MF_MOVE);
    return left >= 0 ? 0 : errno;
  }

  std::optional<std::uint64_t> huge_page_bytes(std::byte* base, std::size_t bytes) override {
    const base::UniqueFd pagemap(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
    if (!pagemap) return std::nullopt;
    std::array<PageRegion, 128> regions{};
    ScanArguments scan{};
    scan.size = sizeof scan;
    scan.start = reinterpret_cast<std::uintptr_t>(base);
    scan.end = scan.start + bytes;
    scan.regions = reinterpret_cast<std::uintptr_t>(regions.data());
    scan.regions_count = regions.size();
    scan.category_mask = kPageIsHuge;
    scan.category_wanted = kPageIsHuge;
    std::uint64_t huge = 0;
    while (scan.start < scan.end) {
      const int found = ::ioctl(pagemap.get(), kPagemapScan, &scan);
      if (found < 0) return std::nullopt;
      for (const PageRegion& region : std::span(regions).first(static_cast<std::size_t>(found))) {
        huge += region.end - region.start;
      }
      if (scan.walk_end <= scan.start) break;
      scan.start = scan.walk_end;
    }
    return huge;
  }
};

}  // namespace

PlacementSystem& PlacementSystem::process() {
  static LinuxPlacementSystem system;
  return system;
}

}  // namespace gpuio::core
