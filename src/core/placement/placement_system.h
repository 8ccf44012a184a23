// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "gpuio/result.hpp"
#include "gpuio/topology.hpp"

namespace gpuio::core {

/// The kernel's modes of placing pages (set_mempolicy(2)); libnuma's header may be older than the kernel.
enum class MemoryMode : int { standard = 0, preferred = 1, bind = 2, interleave = 3, preferred_many = 5, weighted = 6 };

/// The kernel as placement sees it: a seam, so that machines with one node test what happens on many. Functions give 0
/// or an errno. Ranges are whole pages. Thread safety: all members.
class PlacementSystem {
 public:
  virtual ~PlacementSystem() = default;

  /// The machine's nodes, with what is free on each now.
  [[nodiscard]] virtual Result<Topology> topology() = 0;
  /// The weights that the kernel deals by in MemoryMode::weighted; none where it has no such mode.
  [[nodiscard]] virtual std::optional<std::vector<std::uint32_t>> kernel_weights(std::span<const int> nodes) = 0;
  [[nodiscard]] virtual std::size_t page_bytes() const noexcept = 0;

  /// Pages of the range that come from now on come by this mode (mbind).
  [[nodiscard]] virtual int bind(std::byte* base, std::size_t bytes, MemoryMode mode, std::span<const int> nodes) = 0;
  /// Gives every page memory; the contents stay.
  [[nodiscard]] virtual int touch(std::byte* base, std::size_t bytes) = 0;

  /// Where each page is: its node, or a negative errno (move_pages without targets).
  [[nodiscard]] virtual int query(std::span<void* const> pages, std::span<int> places) = 0;
  /// Moves each page to its target; `places` as of query, unchanged for pages that the kernel never came to.
  [[nodiscard]] virtual int move(std::span<void* const> pages, std::span<const int> targets, std::span<int> places) = 0;
  /// Bytes of the range in huge pages; none where the kernel does not tell.
  [[nodiscard]] virtual std::optional<std::uint64_t> huge_page_bytes(std::byte* base, std::size_t bytes) = 0;

  /// This machine's.
  static PlacementSystem& process();
};

}  // namespace gpuio::core
