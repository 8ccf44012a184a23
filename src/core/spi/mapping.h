// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "gpuio/map.hpp"
#include "gpuio/result.hpp"

namespace gpuio::spi {

/// Which bytes of a store are to be mapped.
struct MapRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  ///< 0: up to the store's end.
  MapAccess access = MapAccess::read;
  std::uint64_t reserve_bytes = 0;  ///< Address space, from `offset` on.
};

/// What another process maps to see the same bytes.
struct SharedMemoryFile {
  base::UniqueFd descriptor;
  std::uint64_t offset = 0;  ///< Of the first byte asked for.
};

/// A store's own bytes at addresses. Made by Store::map, owned by a Region, which sees to it that nobody uses what
/// `unmap` takes away; the destructor unmaps all. Touching bytes that the store has lost kills nobody: they read as
/// zeros, and `check` tells.
///
/// Thread safety: const members from any thread; the others one at a time. Offsets count from `base`.
class Mapping {
 public:
  Mapping() = default;
  virtual ~Mapping() = default;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  [[nodiscard]] virtual std::byte* base() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t size() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t page_bytes() const noexcept = 0;  ///< The unit of `unmap` and of registrations.
  [[nodiscard]] virtual MapAccess access() const noexcept = 0;
  [[nodiscard]] virtual Sharing sharing() const noexcept = 0;
  [[nodiscard]] virtual std::string_view tier() const noexcept = 0;  ///< As Store::tier; valid as long as this lives.

  /// Maps more behind what there is, without moving; a store opened for writing is lengthened if need be. Fails with
  /// `out_of_range` (past the reserved addresses; past the end of a store that can't grow), and nothing has changed.
  [[nodiscard]] virtual Status grow(std::uint64_t size_bytes) = 0;
  /// Takes pages away; their addresses stay reserved. Fails with `invalid_argument` unless they are whole pages.
  [[nodiscard]] virtual Status unmap(std::uint64_t offset, std::uint64_t length) = 0;

  [[nodiscard]] virtual Status prefault(std::uint64_t offset, std::uint64_t length) const = 0;
  [[nodiscard]] virtual Status advise(std::uint64_t offset, std::uint64_t length, MemoryAdvice advice) const = 0;

  /// Fails with `end_of_file` if the store no longer has all mapped bytes, `io_error` if some could not be had. What
  /// was once lost stays so.
  [[nodiscard]] virtual Status check() const = 0;

  [[nodiscard]] virtual Result<SharedMemoryFile> share(std::uint64_t offset, MapAccess access) const = 0;

  [[nodiscard]] virtual std::string explain() const = 0;  ///< "/data/table: 16 GiB from 0, pages of 4 KiB"
};

}  // namespace gpuio::spi
