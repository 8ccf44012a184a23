// SPDX-License-Identifier: Apache-2.0
#include "core/view/view_cells.h"

namespace gpuio::core {
namespace {

void set(ViewCell& cell, std::uint64_t generation) {
  std::atomic_ref<std::uint64_t>(cell.generation).store(generation, std::memory_order_relaxed);
}

}  // namespace

ViewCells& ViewCells::process() {
  static auto* const cells = new ViewCells;
  return *cells;
}

ViewCell& ViewCells::take() {
  const std::lock_guard lock(mutex_);
  ViewCell* cell = free_.empty() ? &cells_.emplace_back() : free_.back();
  if (!free_.empty()) free_.pop_back();
  free_.reserve(cells_.size());  // So that giving a cell back, in a destructor, allocates nothing.
  set(*cell, next_++);
  return *cell;
}

void ViewCells::give(ViewCell& cell) {
  const std::lock_guard lock(mutex_);
  set(cell, 0);
  free_.push_back(&cell);
}

std::size_t ViewCells::cells() const {
  const std::lock_guard lock(mutex_);
  return cells_.size();
}

}  // namespace gpuio::core
