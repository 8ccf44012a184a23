// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/mapping/sigbus_guard.h"
#include "core/spi/mapping.h"

namespace gpuio::core {

/// What is mapped, for whoever has a descriptor of it: a file, a block device, a memory file, a dax device.
struct MappedFile {
  base::UniqueFd descriptor;      ///< The mapping's own; opened for writing if `range.access` is to be.
  std::string name;               ///< For messages.
  std::string tier;               ///< As Store::tier.
  std::uint64_t page_bytes = 0;   ///< Of dax devices and huge pages, whose ranges must consist of them; 0: ordinary.
  std::uint64_t fixed_bytes = 0;  ///< Of devices, which neither grow nor tell their size; 0: ask the descriptor.
  bool writable = false;          ///< The store may be lengthened.
  Sharing sharing{Reach::host};   ///< Who else maps it.
  /// Told the store's new length after `grow` lengthened it. May be empty.
  std::function<void(std::uint64_t)> lengthened;
};

/// Makes a file `bytes` long by allocating its last byte: unlike ftruncate that never cuts what another process added
/// meanwhile. Where the file system can't, by ftruncate.
[[nodiscard]] Status lengthen_file(int file, std::uint64_t bytes);

/// The one Mapping for all that has a descriptor: shared memory pages of it, in address space that was reserved first,
/// so that growing moves nothing and what is unmapped is given to nobody else.
class DescriptorMapping final : public spi::Mapping {
 public:
  /// Fails with `out_of_range` (past the end; nothing to map), `invalid_argument` (dax alignment, a reserve shorter
  /// than the range), `out_of_memory` (no such address space, no huge pages) or the system's error.
  static Result<std::unique_ptr<DescriptorMapping>> create(MappedFile file, const spi::MapRange& range);
  ~DescriptorMapping() override;

  [[nodiscard]] std::byte* base() const noexcept override { return reservation_ + skew_; }
  [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
  [[nodiscard]] std::uint64_t page_bytes() const noexcept override { return page_bytes_; }
  [[nodiscard]] MapAccess access() const noexcept override { return access_; }
  [[nodiscard]] Sharing sharing() const noexcept override { return file_.sharing; }
  [[nodiscard]] std::string_view tier() const noexcept override { return file_.tier; }
  [[nodiscard]] Status grow(std::uint64_t size_bytes) override;
  [[nodiscard]] Status unmap(std::uint64_t offset, std::uint64_t length) override;
  [[nodiscard]] Status prefault(std::uint64_t offset, std::uint64_t length) const override;
  [[nodiscard]] Status advise(std::uint64_t offset, std::uint64_t length, MemoryAdvice advice) const override;
  [[nodiscard]] Status check() const override;
  [[nodiscard]] Result<spi::SharedMemoryFile> share(std::uint64_t offset, MapAccess access) const override;
  [[nodiscard]] std::string explain() const override;

  /// True if zeros took the place of bytes that were lost.
  [[nodiscard]] bool was_hit() const noexcept { return guard_.was_hit(); }
  /// How long the store is now. Costs a system call.
  [[nodiscard]] Result<std::uint64_t> file_bytes() const;

 private:
  DescriptorMapping(MappedFile file, const spi::MapRange& range, std::uint64_t page_bytes);
  [[nodiscard]] Status check_range(std::uint64_t file_bytes) const;
  [[nodiscard]] Status reserve();
  /// Puts the file's pages of [begin, end), counted from the reservation, at their addresses.
  [[nodiscard]] Status map_pages(std::uint64_t begin, std::uint64_t end);

  [[nodiscard]] Status lengthen(std::uint64_t file_bytes);

  MappedFile file_;
  const std::uint64_t page_bytes_;
  const MapAccess access_;
  const std::uint64_t file_offset_;  ///< Of the reservation's first byte: of a page's.
  const std::uint64_t skew_;         ///< From there to the first byte asked for.
  std::atomic<std::uint64_t> size_;
  std::atomic<std::uint64_t> needed_{0};  ///< The file must have so many bytes from the first one asked for on.
  std::uint64_t reserved_;
  std::byte* reservation_ = nullptr;
  std::uint64_t mapped_ = 0;  ///< Of the reservation.
  SigbusGuard guard_;
};

}  // namespace gpuio::core
