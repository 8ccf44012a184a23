// SPDX-License-Identifier: Apache-2.0
#include "core/copy/copy_shares.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace gpuio::core {
namespace {

/// Stripes of huge pages and of allocations are longer; smaller pages dealt in turn are near and far alike.
constexpr std::uint64_t kLookBytes = 1U << 20U;

/// Of one call to the kernel.
constexpr std::size_t kLooksMax = 256;

constexpr int kUnknown = -1;

/// The pages where every kLookBytes of a span begin, and the nodes that they are on.
class Looks {
 public:
  Looks(const CopySpan& span, PlacementSystem& system) {
    LayoutCursor at = span.begin;
    for (std::uint64_t left = span.bytes; left > 0 && count_ < kLooksMax; ++count_) {
      to_[count_] = span.destination + at.memory_offset();
      from_[count_] = span.source == nullptr ? to_[count_] : const_cast<std::byte*>(span.source) + at.store_offset();
      const std::uint64_t bytes = std::min(left, kLookBytes);
      at.skip(bytes);
      left -= bytes;
    }
    ask(system, to_, to_nodes_);
    ask(system, from_, from_nodes_);
  }

  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] int to(std::size_t index) const noexcept { return to_nodes_[index]; }
  [[nodiscard]] int from(std::size_t index) const noexcept { return from_nodes_[index]; }

 private:
  using Pages = std::array<void*, kLooksMax>;
  using Nodes = std::array<int, kLooksMax>;

  void ask(PlacementSystem& system, const Pages& pages, Nodes& nodes) const {
    // Sandboxes forbid it; then it does not matter who copies what.
    if (system.query(std::span(pages).first(count_), std::span(nodes).first(count_)) != 0) nodes.fill(kUnknown);
  }

  std::size_t count_ = 0;
  Pages to_;
  Pages from_;
  Nodes to_nodes_;
  Nodes from_nodes_;
};

CopyShare& share_for(std::vector<CopyShare>& shares, int to, int from) {
  for (const int node : {to, from}) {
    const auto found = std::ranges::find(shares, node, &CopyShare::node);
    if (node >= 0 && found != shares.end()) return *found;
  }
  return *std::ranges::min_element(shares, {},
                                   [](const CopyShare& share) { return share.left_bytes() / share.workers(); });
}

}  // namespace

void CopyShare::reset(int node, unsigned workers) noexcept {
  node_ = node;
  workers_ = workers;
  left_bytes_ = 0;
  spans_.clear();
  next_ = 0;
}

void CopyShare::add(const CopySpan& span) {
  spans_.push_back(span);
  left_bytes_ += span.bytes;
}

void CopyShare::extend(std::uint64_t bytes) noexcept {
  spans_.back().bytes += bytes;
  left_bytes_ += bytes;
}

CopySpan CopyShare::take(std::uint64_t bytes_max) noexcept {
  CopySpan& first = spans_[next_];
  CopySpan part = first;
  part.bytes = std::min(first.bytes, bytes_max);
  left_bytes_ -= part.bytes;
  first.bytes -= part.bytes;
  if (first.bytes == 0) {
    ++next_;
  } else {
    first.begin.skip(part.bytes);
  }
  return part;
}

void share_out(const CopySpan& span, std::span<const spi::WorkerNode> nodes, PlacementSystem& system,
               std::vector<CopyShare>& shares) {
  shares.resize(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) shares[i].reset(nodes[i].node, nodes[i].workers);
  CopySpan rest = span;
  CopyShare* last = nullptr;
  while (rest.bytes > 0) {
    const Looks looks(rest, system);
    for (std::size_t i = 0; i < looks.count(); ++i) {
      CopySpan part = rest;
      part.bytes = std::min(rest.bytes, kLookBytes);
      CopyShare& share = share_for(shares, looks.to(i), looks.from(i));
      if (&share == last) {
        share.extend(part.bytes);
      } else {
        share.add(part);
      }
      last = &share;
      rest.begin.skip(part.bytes);
      rest.bytes -= part.bytes;
    }
  }
}

}  // namespace gpuio::core
