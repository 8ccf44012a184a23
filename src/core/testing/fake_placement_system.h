// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "core/placement/placement_system.h"

namespace gpuio::core {

/// A kernel of several nodes that places pages as mbind(2), madvise(2) and move_pages(2) say. Addresses are numbers:
/// nothing is behind them. Not thread-safe.
class FakePlacementSystem final : public PlacementSystem {
 public:
  static constexpr std::size_t kPage = 4096;
  static constexpr std::size_t kHugePages = 512;  ///< Small pages in a huge one.

  /// `room[i]`: pages on node i, which has processor i.
  explicit FakePlacementSystem(std::vector<std::size_t> room) : room_(std::move(room)) {
    for (std::size_t i = 0; i < room_.size(); ++i) {
      MemoryNode node;
      node.id = static_cast<int>(i);
      node.cpus = {node.id};
      node.total_bytes = room_[i] * kPage;
      node.usable = true;
      for (std::size_t j = 0; j < room_.size(); ++j) {
        node.distances.push_back(
            {static_cast<int>(j), static_cast<std::uint32_t>(i > j ? 10 + 5 * (i - j) : 10 + 5 * (j - i))});
      }
      machine.nodes.push_back(node);
    }
  }

  Topology machine;                                          ///< Free bytes are filled in when it is asked for.
  std::optional<std::vector<std::uint32_t>> system_weights;  ///< By node; none: Linux before 6.9.
  bool has_preferred_many = true;                            ///< Linux 5.15
  int refusal = 0;                                           ///< What every call answers: EPERM in a sandbox.
  int move_error = 0;                                        ///< What moving answers, having moved nothing.
  bool huge = false;                                         ///< Pages move by whole huge ones.
  std::set<std::size_t> held;                                ///< Pages (address / kPage) that a device holds.
  std::map<std::size_t, int> strange;                        ///< What a query of these answers.

  struct Binding {
    std::size_t first;
    std::size_t pages;
    MemoryMode mode;
    std::vector<int> nodes;
  };
  std::vector<Binding> bindings;     ///< In order of the calls.
  std::map<std::size_t, int> pages;  ///< Where each page is.
  std::size_t longest_question = 0;  ///< Pages of one call.

  static std::byte* address(std::size_t page) { return reinterpret_cast<std::byte*>(page * kPage); }
  [[nodiscard]] std::size_t on(int node) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(pages, [&](const auto& page) { return page.second == node; }));
  }

  Result<Topology> topology() override {
    Topology now = machine;
    for (MemoryNode& node : now.nodes) node.free_bytes = node.available_bytes = free(node.id) * kPage;
    return now;
  }
  std::optional<std::vector<std::uint32_t>> kernel_weights(std::span<const int> nodes) override {
    if (!system_weights) return std::nullopt;
    std::vector<std::uint32_t> weights;
    for (const int node : nodes) weights.push_back((*system_weights)[static_cast<std::size_t>(node)]);
    return weights;
  }
  std::size_t page_bytes() const noexcept override { return kPage; }

  int bind(std::byte* base, std::size_t bytes, MemoryMode mode, std::span<const int> nodes) override {
    if (refusal != 0) return refusal;
    if (number(base) * kPage != reinterpret_cast<std::uintptr_t>(base) || bytes % kPage != 0) return EINVAL;
    if (mode == MemoryMode::preferred_many && !has_preferred_many) return EINVAL;
    if (mode == MemoryMode::weighted && !system_weights) return EINVAL;
    bindings.push_back({number(base), bytes / kPage, mode, {nodes.begin(), nodes.end()}});
    return 0;
  }

  int touch(std::byte* base, std::size_t bytes) override {
    for (std::size_t page = number(base); page < number(base) + bytes / kPage; ++page) {
      if (pages.contains(page)) continue;
      const int node = node_for(page);
      if (node < 0) return ENOMEM;
      pages[page] = node;
      ++used_[static_cast<std::size_t>(node)];
    }
    return 0;
  }

  int query(std::span<void* const> asked, std::span<int> places) override {
    if (refusal != 0) return refusal;
    longest_question = std::max(longest_question, asked.size());
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const std::size_t page = number(asked[i]);
      places[i] = strange.contains(page) ? strange[page] : pages.contains(page) ? pages[page] : -ENOENT;
    }
    return 0;
  }

  int move(std::span<void* const> asked, std::span<const int> targets, std::span<int> places) override {
    if (refusal != 0) return refusal;
    longest_question = std::max(longest_question, asked.size());
    if (move_error != 0) return move_error;
    std::set<std::size_t> isolated;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const std::size_t page = number(asked[i]);
      const std::size_t unit = huge ? page / kHugePages : page;
      if (!isolated.insert(unit).second || held.contains(page)) {
        places[i] = -EBUSY;
      } else if (free(targets[i]) < (huge ? kHugePages : 1)) {
        places[i] = -ENOMEM;
      } else {
        for (std::size_t at = huge ? unit * kHugePages : page; at < (huge ? (unit + 1) * kHugePages : page + 1); ++at) {
          const auto found = pages.find(at);
          if (found == pages.end()) continue;
          --used_[static_cast<std::size_t>(found->second)];
          ++used_[static_cast<std::size_t>(found->second = targets[i])];
        }
        places[i] = targets[i];
      }
    }
    return 0;
  }

  std::optional<std::uint64_t> huge_page_bytes(std::byte*, std::size_t bytes) override {
    return huge ? std::optional<std::uint64_t>(bytes) : std::nullopt;
  }

 private:
  static std::size_t number(const void* address) { return reinterpret_cast<std::uintptr_t>(address) / kPage; }
  [[nodiscard]] std::size_t free(int node) const {
    return room_[static_cast<std::size_t>(node)] - used_[static_cast<std::size_t>(node)];
  }

  /// Where a page that is touched now comes from; -1: a strict policy has no room.
  int node_for(std::size_t page) {
    std::vector<int> order;
    bool strict = false;
    for (const Binding& binding : bindings) {
      if (page < binding.first || page >= binding.first + binding.pages) continue;
      order = binding.nodes;
      strict = binding.mode == MemoryMode::bind;
      if (binding.mode == MemoryMode::interleave) {
        std::ranges::rotate(order, order.begin() + static_cast<std::ptrdiff_t>(page % order.size()));
      }
    }
    for (std::size_t node = 0; node < room_.size() && !strict; ++node) order.push_back(static_cast<int>(node));
    const auto found = std::ranges::find_if(order, [&](int node) { return free(node) > 0; });
    return found != order.end() ? *found : -1;
  }

  const std::vector<std::size_t> room_;
  std::vector<std::size_t> used_ = std::vector<std::size_t>(room_.size());
};

}  // namespace gpuio::core
