// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "base/unique_fd.h"
#include "gpuio/result.hpp"
#include "sim/fate.h"

namespace gpuio::sim {

/// One file: what readers see, and what of it would survive a crash. Pages are in memory or not; sectors are on the
/// disk, waiting to be, or lost. The bytes lie in a memory file, so that mappings of it are real ones. Thread safety:
/// none.
class File {
 public:
  static constexpr std::uint64_t kSectorBytes = 512;
  static constexpr std::uint64_t kPageBytes = 4096;

  /// Fails with `out_of_memory`, `resource_exhausted`.
  static Result<std::shared_ptr<File>> create(std::uint64_t capacity_bytes, std::uint64_t inode);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint64_t capacity() const noexcept { return memory_.size(); }
  [[nodiscard]] std::uint64_t inode() const noexcept { return inode_; }
  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }

  /// Bytes as a reader sees them now; both ends must lie within the capacity.
  void read(std::uint64_t offset, std::span<std::byte> memory) const;
  void write(std::uint64_t offset, std::span<const std::byte> memory);
  void resize(std::uint64_t size_bytes);

  /// All of it is on the disk now.
  void flush();
  /// The flush failed: some waiting sectors never get there, and no later flush will write them, though readers go on
  /// seeing the new bytes.
  void fail_flush(Fate& fate);
  /// What the disk holds after the power went: of each sector that waited the new bytes, the old, or some of both.
  void crash(Fate& fate);

  [[nodiscard]] std::uint64_t resident(std::uint64_t offset, std::uint64_t length) const;
  /// From `offset` on, how many bytes are in memory without a gap.
  [[nodiscard]] std::uint64_t resident_from(std::uint64_t offset, std::uint64_t length) const;
  void set_resident(std::uint64_t offset, std::uint64_t length, bool resident);

  /// How many bytes from `offset` on come before a sector that can't be read.
  [[nodiscard]] std::uint64_t good_from(std::uint64_t offset, std::uint64_t length) const;
  void set_bad(std::uint64_t offset) { bad_.insert(offset / kSectorBytes); }
  void heal(std::uint64_t offset, std::uint64_t length);

  /// A mapping of its own, read-only; null when there is no memory.
  [[nodiscard]] std::byte* map(std::uint64_t offset, std::uint64_t length) const;

 private:
  using Sector = std::array<std::byte, kSectorBytes>;

  File(base::UniqueFd memory_file, std::span<std::byte> memory, std::uint64_t inode);
  [[nodiscard]] std::span<std::byte> sector(std::uint64_t index) const;
  void remember(std::uint64_t offset, std::uint64_t length);

  base::UniqueFd memory_file_;
  std::span<std::byte> memory_;
  const std::uint64_t inode_;
  std::uint64_t version_ = 1;
  std::uint64_t size_ = 0;
  std::uint64_t flushed_size_ = 0;
  std::map<std::uint64_t, Sector> waiting_;  ///< Sectors written since the last flush, with what the disk has.
  std::map<std::uint64_t, Sector> lost_;     ///< Sectors that the disk will never get.
  std::vector<bool> resident_;               ///< By page.
  std::set<std::uint64_t> bad_;
};

}  // namespace gpuio::sim
