// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace gpuio::cli {

/// A file read with the system's plain calls: what the library's work is checked against and compared with.
class LocalFile {
 public:
  enum class Mode { cached, direct };

  /// Throws gpuio::Error with the path and errno. `direct` fails where the file system has no O_DIRECT.
  explicit LocalFile(const std::string& path, Mode mode = Mode::cached);
  LocalFile(const LocalFile&) = delete;
  LocalFile& operator=(const LocalFile&) = delete;
  LocalFile(LocalFile&& other) noexcept;
  LocalFile& operator=(LocalFile&& other) noexcept;
  ~LocalFile();

  /// Fills all of `bytes` from `offset`; throws `end_of_file` where the file ends before.
  void read(std::span<std::byte> bytes, std::uint64_t offset) const;

  /// One pread: the bytes read, 0 at the end. Throws on errors.
  std::size_t read_some(std::span<std::byte> bytes, std::uint64_t offset) const;

  [[nodiscard]] std::uint64_t size() const;

  /// Drops its clean pages from the page cache; quietly does nothing where that is impossible (tmpfs).
  void evict() const noexcept;

 private:
  std::string path_;
  int fd_ = -1;
};

}  // namespace gpuio::cli
