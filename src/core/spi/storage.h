// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "gpuio/result.hpp"

/// The storage seam: every call that reaches a disk or a file system. The operating system implements it in
/// engine/local; the simulator in sim, where it injects short and failed reads, torn and lost writes, delays and
/// reordering.
namespace gpuio::spi {

/// A file descriptor, or the simulator's number for one. Never negative when valid.
using FileHandle = int;

enum class FileAccess : std::uint8_t { read, write };

struct FileOpenOptions {
  FileAccess access = FileAccess::read;
  bool create = false;
  bool exclusive = false;  ///< With create: fail if it exists.
  bool direct = false;     ///< O_DIRECT.
};

struct FileAttributes {
  std::uint64_t size_bytes = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint32_t direct_memory_alignment = 0;  ///< As statx reports; 0: not reported.
  std::uint32_t direct_offset_alignment = 0;
  bool is_regular = false;
  bool is_directory = false;
  bool is_block_device = false;
  bool is_memory = false;   ///< tmpfs, ramfs: always resident, O_DIRECT means nothing.
  std::string file_system;  ///< "ext4", "tmpfs", "0x..." for those without a name here
  /// Of file and contents (inode, size, times): differs when either does. 0: changed so lately that it can't tell.
  std::uint64_t version = 0;
};

/// One of the reads of FileSystem::read_many.
struct ReadPart {
  std::uint64_t offset = 0;
  std::span<std::byte> memory;
  std::int64_t result = 0;  ///< Bytes, or a negative errno.
};

/// Synchronous calls. Results are bytes or a negative errno where an int is returned, as the system's. Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  [[nodiscard]] virtual Result<FileHandle> open(const std::string& path, const FileOpenOptions& options) = 0;
  virtual void close(FileHandle file) = 0;
  [[nodiscard]] virtual Result<FileAttributes> attributes(FileHandle file) = 0;

  /// One pread. With `no_wait`: -EAGAIN instead of going to the device (RWF_NOWAIT), -EOPNOTSUPP where that can't be
  /// asked.
  virtual std::int64_t read(FileHandle file, std::uint64_t offset, std::span<std::byte> memory, bool no_wait) = 0;
  /// As a `read` of each that may wait, in any order, and all have ended when it returns. May take one call for many.
  virtual void read_many(FileHandle file, std::span<ReadPart> parts) {
    for (ReadPart& part : parts) part.result = read(file, part.offset, part.memory, false);
  }
  virtual std::int64_t write(FileHandle file, std::uint64_t offset, std::span<const std::byte> memory) = 0;
  /// As write, to a file that lies in memory (FileAttributes::is_memory), without excluding other writers of it.
  virtual std::int64_t write_together(FileHandle file, std::uint64_t offset, std::span<const std::byte> memory) {
    return write(file, offset, memory);
  }
  virtual int flush(FileHandle file) = 0;  ///< fdatasync; 0 or -errno
  virtual int truncate(FileHandle file, std::uint64_t size_bytes) = 0;
  virtual int reserve(FileHandle file, std::uint64_t size_bytes) = 0;  ///< fallocate; -EOPNOTSUPP is no failure

  /// Bytes of the range in the page cache; nullopt where the system can't tell.
  virtual std::optional<std::uint64_t> resident(FileHandle file, std::uint64_t offset, std::uint64_t length) = 0;

  /// A shared read-only mapping whose pages devices may read; host code must not. Fails where there are none.
  [[nodiscard]] virtual Result<std::byte*> map(FileHandle file, std::uint64_t offset, std::uint64_t length) = 0;
  virtual void unmap(std::byte* base, std::uint64_t length) = 0;

  /// Another descriptor of the file, for mappings that host code uses. Fails with `unsupported` where there is none.
  [[nodiscard]] virtual Result<base::UniqueFd> duplicate(FileHandle /*file*/) {
    return Status(Code::unsupported, "these files have no descriptors: they can't be mapped");
  }

  /// Puts `from` in the place of `to`, with the permissions that `to` had, and flushes the folder.
  [[nodiscard]] virtual Status rename(const std::string& from, const std::string& to) = 0;
  [[nodiscard]] virtual Status remove(const std::string& path) = 0;
};

/// One asynchronous operation.
struct StorageOperation {
  enum class Kind : std::uint8_t { read, write, flush };
  Kind kind = Kind::read;
  FileHandle file = -1;
  std::uint64_t offset = 0;
  std::byte* memory = nullptr;
  std::uint32_t bytes = 0;
  std::uint64_t cookie = 0;  ///< Comes back with the result.
};

struct StorageResult {
  std::uint64_t cookie = 0;
  std::int64_t result = 0;  ///< Bytes, or a negative errno.
};

/// Submits and completes. Used by one thread at a time (the engine's poll).
class StorageQueue {
 public:
  virtual ~StorageQueue() = default;
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;  ///< "io_uring", "threads", "sim"
  /// Takes as many as fit, from the front; returns how many.
  virtual std::size_t submit(std::span<const StorageOperation> operations) = 0;
  /// Gives what has completed, at most `results.size()`.
  virtual std::size_t reap(std::span<StorageResult> results) = 0;
  /// Asks for an early end of the operation with this cookie; its result still comes. May do nothing.
  virtual void cancel(std::uint64_t /*cookie*/) {}
  /// Readable when reap has something; -1 where the queue wakes the executor itself or has to be asked.
  [[nodiscard]] virtual int wake_fd() const noexcept = 0;
  /// Memory that operations will often use: fixed buffers. May do nothing; a failure is counted and changes nothing.
  virtual void register_memory(std::byte* base, std::size_t bytes) = 0;
  virtual void unregister_memory(std::byte* base) = 0;
  /// A handle that was used here has been closed: its number may come back as another file.
  virtual void forget(FileHandle /*file*/) {}
};

}  // namespace gpuio::spi
