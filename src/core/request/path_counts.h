// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/request/path.h"
#include "gpuio/request.hpp"

namespace gpuio::core {

/// Bytes of one Request by the Path that they took. Nearly every Request takes one or two, so it holds as many; a table
/// for all of them is made for those that take more.
///
/// Thread safety: `add`, one thread at a time; `read`, any thread.
class PathCounts {
 public:
  PathCounts() = default;
  ~PathCounts() { delete table_.load(std::memory_order_relaxed); }
  PathCounts(const PathCounts&) = delete;
  PathCounts& operator=(const PathCounts&) = delete;

  /// The texts are static.
  void add(Path path, std::string_view way_name, std::string_view reason, std::uint64_t bytes) noexcept;

  /// Most bytes first.
  [[nodiscard]] std::vector<PathUse> read() const;

 private:
  struct Count {
    std::atomic<std::uint64_t> bytes{0};
    std::string_view way_name;
    std::string_view reason;
    std::atomic<std::uint32_t> mark{0};  ///< The Path's index and 1; written after the texts.

    void add(std::uint32_t marked, std::string_view its_way_name, std::string_view its_reason,
             std::uint64_t more) noexcept;
    void read(std::vector<PathUse>& uses) const;
  };
  using Table = std::array<Count, kPaths>;

  std::array<Count, 2> first_;
  std::atomic<Table*> table_{nullptr};
};

}  // namespace gpuio::core
