// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>

namespace gpuio::local {

/// Writes files that lie in memory (tmpfs) by several threads at once.
///
/// pwrite lets one writer at a time into a file. Here the kernel copies into a shared mapping instead
/// (process_vm_writev on ourselves): faults run side by side, and where another process cuts the file, or the file
/// system is full, the call fails with EFAULT where code that stores into the mapping would die of SIGBUS.
///
/// Thread safety: all members. A file that is written here is forgotten before its descriptor is closed.
class MemoryWriter {
 public:
  /// As pwrite: bytes written or a negative errno; -EOPNOTSUPP where mapping or the call is refused. Grows the file.
  std::int64_t write(int file, std::uint64_t offset, std::span<const std::byte> memory);
  void forget(int file);

 private:
  /// One file's mapping; may reach past the file's end.
  struct Mapping {
    ~Mapping();
    std::mutex growing;
    std::byte* base = nullptr;
    std::uint64_t bytes = 0;
    std::uint64_t file_bytes = 0;  ///< That it has, as last seen; guarded by `growing`.
  };

  std::shared_ptr<Mapping> mapping(int file, std::uint64_t end);
  /// A store into a mapping can't lengthen a file. 0 or an errno.
  static int grow(int file, Mapping& mapping, std::uint64_t end, std::byte last);

  std::shared_mutex mutex_;
  std::map<int, std::shared_ptr<Mapping>> mappings_;
};

}  // namespace gpuio::local
