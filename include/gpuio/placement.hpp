// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "gpuio/result.hpp"
#include "gpuio/status.hpp"

namespace gpuio {

struct Topology;

/// On which nodes of host memory pages are to lie.
enum class PlacementPolicy : std::uint8_t {
  local,                ///< On the device's nearest node; on the host device, near to the thread that touches them.
  bind,                 ///< On some of `nodes`.
  preferred,            ///< On one node; elsewhere once it is full.
  interleave,           ///< Dealt to `nodes` in turns.
  weighted_interleave,  ///< Dealt to `nodes` in turns as long as their weights.
};
std::string_view to_string(PlacementPolicy policy) noexcept;  ///< "weighted_interleave"

/// In which pages.
enum class HugePages : std::uint8_t {
  automatic,  ///< Huge ones where the kernel has them and they fit.
  never,      ///< Small ones only: less is moved by each migration, and nothing is touched that was not asked for.
};

/// Where host memory is to lie, and how firmly. Make it with one of the functions; a default one is `local()`.
///
/// `strict` memory is touched before the allocation returns and lies where it was asked for, or the allocation fails
/// with `out_of_memory`; otherwise pages that do not fit go elsewhere. A value. Thread safety: as a vector.
struct Placement {
  PlacementPolicy policy = PlacementPolicy::local;  ///< How pages are dealt.
  std::vector<int> nodes{};                         ///< MemoryNode::id; empty: all that this process may use.
  std::vector<std::uint32_t> weights{};             ///< 1 to 255, one for each of `nodes`.
  bool strict = false;                              ///< Nowhere else.
  HugePages huge_pages = HugePages::automatic;      ///< In which pages.

  [[nodiscard]] static Placement local() { return {}; }  ///< Near to the device.
  /// On some of `nodes` and nowhere else.
  [[nodiscard]] static Placement bind(std::vector<int> nodes) {
    return {.policy = PlacementPolicy::bind, .nodes = std::move(nodes), .strict = true};
  }
  /// On `node` as long as it has memory.
  [[nodiscard]] static Placement preferred(int node) { return {.policy = PlacementPolicy::preferred, .nodes = {node}}; }
  /// In turns on each of `nodes`, or on all.
  [[nodiscard]] static Placement interleave(std::vector<int> nodes = {}) {
    return {.policy = PlacementPolicy::interleave, .nodes = std::move(nodes)};
  }
  /// `weights` in turn to each of `nodes`. Without weights: the kernel's own (Linux 6.9), else in the proportion of the
  /// read bandwidths that firmware tells, else equal ones.
  [[nodiscard]] static Placement weighted_interleave(std::vector<int> nodes, std::vector<std::uint32_t> weights = {}) {
    return {.policy = PlacementPolicy::weighted_interleave, .nodes = std::move(nodes), .weights = std::move(weights)};
  }

  bool operator==(const Placement&) const = default;  ///< The same wish.
};

/// How much of something lies on a node.
struct NodeBytes {
  int node = 0;             ///< Its id.
  std::uint64_t bytes = 0;  ///< There.

  bool operator==(const NodeBytes&) const = default;  ///< The same amount on the same node.
};

/// Where the pages of a Slice are. The parts add up to `bytes`.
struct PlacementReport {
  std::uint64_t bytes = 0;                       ///< Of the Slice.
  std::vector<NodeBytes> nodes;                  ///< By id; nodes that hold none are left out.
  std::uint64_t absent_bytes = 0;                ///< Never touched, or swapped out.
  std::uint64_t unknown_bytes = 0;               ///< The kernel does not tell (a driver's memory).
  std::optional<std::uint64_t> huge_page_bytes;  ///< In huge pages, wherever they are; none before Linux 6.7.

  [[nodiscard]] std::uint64_t on(int node) const noexcept;  ///< Bytes on one node.
};

/// Pages that a migration left where they were, and why.
struct MigrationFailure {
  Status reason;            ///< As the kernel tells.
  std::uint64_t pages = 0;  ///< How many.
};

/// What a migration did.
struct MigrationReport {
  std::uint64_t page_bytes = 0;            ///< Of each page that is counted here.
  std::uint64_t moved_pages = 0;           ///< From one node to another.
  std::uint64_t placed_pages = 0;          ///< Were right before.
  std::uint64_t absent_pages = 0;          ///< Not there; they will come where the new placement says.
  std::uint64_t failed_pages = 0;          ///< Stayed on a wrong node: the sum of `failures`.
  std::vector<MigrationFailure> failures;  ///< By reason.
  double seconds = 0;                      ///< That it took.

  [[nodiscard]] double bytes_per_second() const noexcept;  ///< Of what was moved; 0 where nothing was.
};

/// Lets the calling thread run on those processors only that are nearest to `node` (Topology::cpus_near) and allowed
/// to this process. Fails with `not_found` (no such node, or no processor is near it) or `permission_denied` (none of
/// them is allowed); the thread is as it was then.
[[nodiscard]] Status bind_this_thread(const Topology& topology, int node);

}  // namespace gpuio
