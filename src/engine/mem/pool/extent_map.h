// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace gpuio::pool {

/// Free space: extents that do not touch (neighbours are joined). Takes from the smallest that is large enough, at its
/// lowest addresses. All operations: logarithmic in the number of extents. In a member's own memory; what is in use is
/// told by the slots. Thread safety: none.
class ExtentMap {
 public:
  /// An extent that becomes free; none of it may be free.
  void give(std::uint64_t offset, std::uint64_t bytes);
  /// Takes `bytes`, or nothing if no extent is as large.
  [[nodiscard]] std::optional<std::uint64_t> take(std::uint64_t bytes);
  /// Takes exactly this part. False, and nothing is changed, unless all of it is free.
  [[nodiscard]] bool take_part(std::uint64_t offset, std::uint64_t bytes);

  [[nodiscard]] std::uint64_t free_bytes() const noexcept { return free_bytes_; }
  [[nodiscard]] std::size_t extents() const noexcept { return by_offset_.size(); }
  [[nodiscard]] const std::map<std::uint64_t, std::uint64_t>& by_offset() const noexcept { return by_offset_; }

 private:
  using Place = std::map<std::uint64_t, std::uint64_t>::iterator;
  void insert(std::uint64_t offset, std::uint64_t bytes);
  void erase(Place place);

  std::map<std::uint64_t, std::uint64_t> by_offset_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> by_size_;  ///< (bytes, offset)
  std::uint64_t free_bytes_ = 0;
};

}  // namespace gpuio::pool
