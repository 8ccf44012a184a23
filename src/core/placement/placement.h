// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/placement/placement_system.h"
#include "gpuio/placement.hpp"
#include "gpuio/topology.hpp"

/// What allocators do with a Placement: check it, apply it to addresses that have no pages yet, and see to it that
/// strict memory is what it claims. Thread safety: all functions.
namespace gpuio::core::placement {

/// Whether `bytes` can be placed so. Fails with `invalid_argument` (names the member), `not_found` (no such node, off
/// line, no memory), `permission_denied` (cpuset) or `out_of_memory` (strict and full).
[[nodiscard]] Status check(const Placement& placement, const Topology& topology, std::uint64_t bytes);

/// The same of this machine, which is only asked where the answer could be no.
[[nodiscard]] Status check(const Placement& placement, std::uint64_t bytes);

/// Pages of [base, base + bytes) that come from now on come by `placement`; `nearest` is the device's node, -1: none.
/// Where a sandbox forbids it, memory that is not strict is left to the kernel.
[[nodiscard]] Status apply(PlacementSystem& system, std::byte* base, std::size_t bytes, const Placement& placement,
                           int nearest);

/// Strict memory that has been touched is where it was asked for; fails with `out_of_memory` where a page lies
/// elsewhere.
[[nodiscard]] Status verify(PlacementSystem& system, std::byte* base, std::size_t bytes, const Placement& placement,
                            int nearest);

/// Applies; then touches strict memory and verifies it.
[[nodiscard]] Status place(PlacementSystem& system, std::byte* base, std::size_t bytes, const Placement& placement,
                           int nearest);

/// Where a Slice's pages are. The range need not begin or end on a page.
[[nodiscard]] Result<PlacementReport> report(PlacementSystem& system, std::byte* base, std::size_t bytes);

/// Moves the pages that the range touches to where `placement` wants them, and has those to come placed so.
[[nodiscard]] Result<MigrationReport> migrate(PlacementSystem& system, std::byte* base, std::size_t bytes,
                                              const Placement& placement, int nearest);

/// Nodes that `placement` names, or means where it names none. Empty: anywhere.
[[nodiscard]] std::vector<int> nodes_of(const Placement& placement, const Topology& topology, int nearest);

/// Turns of several nodes: `weight` stripes for each in its turn.
class Deal {
 public:
  /// `weights` as long as `nodes`, both not empty. `phase_bytes`: what of the first turn lies before offset 0.
  Deal(std::vector<int> nodes, const std::vector<std::uint32_t>& weights, std::uint64_t stripe_bytes,
       std::uint64_t phase_bytes = 0);

  [[nodiscard]] int node_at(std::uint64_t offset) const noexcept;
  /// Bytes from `offset` on that are the same node's turn.
  [[nodiscard]] std::uint64_t run_at(std::uint64_t offset) const noexcept;

  /// Whole huge pages where there is room for a round of them; long enough that the kernel's list of ranges stays
  /// short.
  [[nodiscard]] static std::uint64_t stripe_bytes_for(std::uint64_t bytes, const std::vector<std::uint32_t>& weights,
                                                      std::uint64_t page_bytes) noexcept;

 private:
  std::vector<int> nodes_;
  std::vector<std::uint64_t> ends_;  ///< Of each node's turn, in bytes from the round's start.
  std::uint64_t phase_bytes_;
};

/// Of memory that has no pages yet, stripes may be of any size. Of pages that are there, a huge one moves as a whole.
enum class DealFor : std::uint8_t { pages_to_come, pages_there };

/// How `placement` deals [base, base + bytes) to `nodes`: by the weights given, the kernel's, or those of bandwidth; by
/// ones for interleave. Stripes of huge pages begin where huge pages do.
[[nodiscard]] Deal deal_of(PlacementSystem& system, const Placement& placement, const Topology& topology,
                           const std::vector<int>& nodes, const std::byte* base, std::uint64_t bytes, DealFor what);

/// "0,2,5", for messages.
[[nodiscard]] std::string text_of(const std::vector<int>& nodes);

}  // namespace gpuio::core::placement
