// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <variant>
#include <vector>

namespace gpuio {

/// `length` bytes from `offset`, both in bytes.
struct Extent {
  std::uint64_t offset = 0;  ///< First byte.
  std::uint64_t length = 0;  ///< Bytes; may be 0 in a list.

  friend bool operator==(const Extent&, const Extent&) = default;
};

/// Which bytes of a Store or of a Slice take part in a transfer, and in which order.
///
/// A transfer pairs two Layouts of equal `size_bytes()`: the n-th byte of one goes to the n-th byte of the other,
/// however each is cut. A value type that shares its lists: copying one never copies a list. Immutable, so thread-safe.
class Layout {
 public:
  /// Blocks of `block_bytes`, each `stride_bytes` after the one before.
  struct Strided {
    std::uint64_t offset = 0;        ///< First byte.
    std::uint64_t block_bytes = 0;   ///< Bytes of each block.
    std::uint64_t stride_bytes = 0;  ///< From one block's start to the next.
    std::uint64_t count = 0;         ///< Blocks.
  };

  /// Rows of a table by their ids, in the order of the ids; an id may occur more than once when it is read.
  struct Rows {
    std::uint64_t offset = 0;        ///< Where row 0 starts.
    std::uint64_t row_bytes = 0;     ///< What is transferred of each row.
    std::uint64_t stride_bytes = 0;  ///< From one row's start to the next; 0 means `row_bytes`.
    std::vector<std::uint64_t> ids;  ///< On the host. Ids made by a kernel belong to a Launch (launch.hpp).
  };

  /// Everything: from byte 0 to the end of whatever it is applied to.
  Layout() = default;

  static Layout contiguous(std::uint64_t offset, std::uint64_t length);
  static Layout strided(const Strided& strided);  ///< Equal blocks at equal distances.
  static Layout rows(Rows rows);                  ///< Rows by id; takes the ids.
  /// Any list, in its order; at most 2^32 - 1 extents. Takes the vector, so pass it by std::move.
  static Layout extents(std::vector<Extent> extents);

  /// True for the default Layout, whose size is only known once it is applied.
  [[nodiscard]] bool is_whole() const noexcept { return std::holds_alternative<std::monostate>(shape_); }

  /// Total bytes named; 0 for the default Layout; saturates at 2^64 - 1 where the sum overflows (a transfer refuses
  /// that).
  [[nodiscard]] std::uint64_t size_bytes() const noexcept { return size_bytes_; }

  /// Number of contiguous pieces.
  [[nodiscard]] std::uint64_t count() const noexcept;

  /// Bytes of each piece where all are equal (strided blocks, rows); 0 otherwise.
  [[nodiscard]] std::uint64_t piece_bytes() const noexcept;

  /// From each piece's start to the next where all are equally far apart (strided blocks); 0 otherwise.
  [[nodiscard]] std::uint64_t stride_bytes() const noexcept;

  /// The `index`-th piece; requires `index < count()` and not `is_whole()`.
  [[nodiscard]] Extent at(std::uint64_t index) const noexcept;

  /// One past the highest byte named; saturates as `size_bytes()`.
  [[nodiscard]] std::uint64_t end() const noexcept { return end_; }

 private:
  using ExtentList = std::shared_ptr<const std::vector<Extent>>;
  using RowList = std::shared_ptr<const Rows>;

  void measure();

  std::variant<std::monostate, Extent, Strided, RowList, ExtentList> shape_;
  std::uint64_t size_bytes_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace gpuio
