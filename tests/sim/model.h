// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gpuio/layout.hpp"

namespace gpuio::tests {

/// Bytes that may be there instead: of a write that failed, was given up, or was not flushed.
struct Maybe {
  std::uint64_t offset = 0;
  std::vector<std::byte> bytes;
};

/// What somewhere must hold: for each byte one value, or one of several where nobody can know.
class ModelBytes {
 public:
  ModelBytes() = default;
  explicit ModelBytes(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}

  [[nodiscard]] std::uint64_t size() const noexcept { return bytes_.size(); }
  [[nodiscard]] const std::vector<std::byte>& bytes() const noexcept { return bytes_; }

  void set(std::uint64_t offset, std::span<const std::byte> bytes);        ///< These, and nothing else.
  void set_maybe(std::uint64_t offset, std::span<const std::byte> bytes);  ///< These, or what might be there now.
  void forget(std::uint64_t offset, std::uint64_t length);                 ///< Anything.

  /// The first offset at which `seen` can't be; nullopt if all of it can. Then this is known to be what is there.
  [[nodiscard]] std::optional<std::uint64_t> settle(std::uint64_t offset, std::span<const std::byte> seen);
  [[nodiscard]] std::optional<std::uint64_t> mismatch(std::uint64_t offset, std::span<const std::byte> seen) const;
  [[nodiscard]] bool known(std::uint64_t offset, std::uint64_t length) const;

 private:
  void carve(std::uint64_t offset, std::uint64_t length);

  std::vector<std::byte> bytes_;
  std::vector<Maybe> maybes_;
  std::vector<Extent> unknown_;
};

/// Ranges in use: those that write exclude all others, those that read only writers.
class RangeLocks {
 public:
  [[nodiscard]] bool try_lock(const Extent& range, bool exclusive);
  void unlock(const Extent& range);
  [[nodiscard]] bool empty() const noexcept { return held_.empty(); }

 private:
  struct Held {
    Extent range;
    bool exclusive;
  };
  std::vector<Held> held_;
};

/// A run of bytes that a transfer moves between two places.
struct Move {
  std::uint64_t store_offset = 0;
  std::uint64_t memory_offset = 0;
  std::uint64_t bytes = 0;
};

/// Pairs the bytes of two layouts in their order.
[[nodiscard]] std::vector<Move> pair_up(const std::vector<Extent>& store, const std::vector<Extent>& memory);
[[nodiscard]] std::uint64_t total_bytes(const std::vector<Extent>& extents);
[[nodiscard]] bool intersects(const Extent& a, const Extent& b);

}  // namespace gpuio::tests
