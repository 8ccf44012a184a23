// SPDX-License-Identifier: Apache-2.0
#include "core/request/path_counts.h"

#include <algorithm>
#include <new>
#include <utility>

namespace gpuio::core {

void PathCounts::Count::add(std::uint32_t marked, std::string_view its_way_name, std::string_view its_reason,
                            std::uint64_t more) noexcept {
  // Of its only writer: needs no locked instruction.
  bytes.store(bytes.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  if (mark.load(std::memory_order_relaxed) == marked) return;
  way_name = its_way_name;
  reason = its_reason;
  mark.store(marked, std::memory_order_release);
}

void PathCounts::Count::read(std::vector<PathUse>& uses) const {
  const std::uint32_t marked = mark.load(std::memory_order_acquire);
  if (marked == 0) return;
  PathUse use;
  use.path = way_name;
  const std::string_view carriage = to_string(static_cast<Carriage>((marked - 1) % kCarriages));
  if (!carriage.empty()) use.path.append(" -> ").append(carriage);
  use.reason = reason;
  use.bytes = bytes.load(std::memory_order_relaxed);
  uses.push_back(std::move(use));
}

void PathCounts::add(Path path, std::string_view way_name, std::string_view reason, std::uint64_t bytes) noexcept {
  const auto mark = static_cast<std::uint32_t>(path.index() + 1);
  for (Count& count : first_) {
    const std::uint32_t taken = count.mark.load(std::memory_order_relaxed);
    if (taken == mark || taken == 0) return count.add(mark, way_name, reason, bytes);
  }
  Table* table = table_.load(std::memory_order_relaxed);
  if (table == nullptr) {
    table = new (std::nothrow) Table;
    if (table == nullptr) return;
    table_.store(table, std::memory_order_release);
  }
  (*table)[path.index()].add(mark, way_name, reason, bytes);
}

std::vector<PathUse> PathCounts::read() const {
  std::vector<PathUse> uses;
  for (const Count& count : first_) count.read(uses);
  if (const Table* table = table_.load(std::memory_order_acquire); table != nullptr) {
    for (const Count& count : *table) count.read(uses);
  }
  std::sort(uses.begin(), uses.end(), [](const PathUse& a, const PathUse& b) { return a.bytes > b.bytes; });
  return uses;
}

}  // namespace gpuio::core
