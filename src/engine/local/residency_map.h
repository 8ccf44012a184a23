// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <unordered_map>

#include "core/spi/storage.h"

namespace gpuio::local {

/// Remembers for a short while which windows of a file are in the page cache, so that planning 10^5 small pieces does
/// not cost 10^5 system calls. An old answer costs time, never a byte. What was resident each time it was looked at is
/// believed longer: looking at a gibibyte costs milliseconds. Reactor only.
class ResidencyMap {
 public:
  static constexpr std::uint64_t kWindowBytes = 8ULL << 20;
  static constexpr std::uint64_t kValidNs = 100'000'000;
  static constexpr std::uint64_t kValidMaxNs = 1'600'000'000;

  struct Answer {
    bool resident = false;
    std::uint64_t length = 0;  ///< From the asked offset on, how far it holds; at least 1. Resident: as far as known.
  };

  ResidencyMap(spi::FileSystem& files, spi::FileHandle file) : files_(files), file_(file) {}

  /// About [offset, offset + length) of a file of `file_bytes`. One system call at most, but for two when a
  /// window is first seen to be partly resident.
  [[nodiscard]] Answer ask(std::uint64_t offset, std::uint64_t length, std::uint64_t file_bytes, std::uint64_t now_ns);

  /// Has the next `ask` look again.
  void forget() noexcept { windows_.clear(); }

 private:
  enum class Kind : std::uint8_t { cold, resident, mixed };
  struct Window {
    Kind kind = Kind::cold;
    std::uint64_t valid_ns = 0;  ///< How long the last look is believed.
    std::uint64_t until_ns = 0;
    std::uint64_t alike_end = 0;       ///< Windows up to this one were of its kind,
    std::uint64_t alike_until_ns = 0;  ///< which holds as long as the first of those looks.
  };

  [[nodiscard]] Kind look(std::uint64_t offset, std::uint64_t length);
  void look_again(Window& window, std::uint64_t offset, std::uint64_t length, std::uint64_t now_ns);
  /// Behind the last of the windows from `index` on that are known to be alike.
  [[nodiscard]] std::uint64_t alike_end(Window& window, std::uint64_t index, std::uint64_t now_ns) const;

  spi::FileSystem& files_;
  spi::FileHandle file_;
  std::unordered_map<std::uint64_t, Window> windows_;
};

}  // namespace gpuio::local
