// SPDX-License-Identifier: Apache-2.0
#include "engine/local/posix_file_system.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>

#include "base/try.h"
#include "engine/local/batch_reader.h"
#include "engine/local/memory_writer.h"
#include "engine/local/page_cache.h"

namespace gpuio::local {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
// Coarser than any kernel's time stamps: two changes within this may carry the same one.
constexpr std::uint64_t kTimestampGrainNs = 20'000'000;

// Fewer reads gain nothing from being one call.
constexpr std::size_t kBatchMin = 8;

struct KnownFileSystem {
  std::uint32_t magic;
  const char* name;
};
constexpr std::array kKnownFileSystems{
    KnownFileSystem{EXT4_SUPER_MAGIC, "ext4"},
    KnownFileSystem{XFS_SUPER_MAGIC, "xfs"},
    KnownFileSystem{BTRFS_SUPER_MAGIC, "btrfs"},
    KnownFileSystem{F2FS_SUPER_MAGIC, "f2fs"},
    KnownFileSystem{TMPFS_MAGIC, "tmpfs"},
    KnownFileSystem{RAMFS_MAGIC, "ramfs"},
    KnownFileSystem{HUGETLBFS_MAGIC, "hugetlbfs"},
    KnownFileSystem{OVERLAYFS_SUPER_MAGIC, "overlayfs"},
    KnownFileSystem{NFS_SUPER_MAGIC, "nfs"},
    KnownFileSystem{FUSE_SUPER_MAGIC, "fuse"},
    KnownFileSystem{0x2fc12fc1, "zfs"},
    KnownFileSystem{0x0bd00bd0, "lustre"},
    KnownFileSystem{PROC_SUPER_MAGIC, "proc"},
    KnownFileSystem{SYSFS_MAGIC, "sysfs"},
};

std::string name_of(std::uint32_t magic) {
  for (const KnownFileSystem& known : kKnownFileSystems) {
    if (known.magic == magic) return known.name;
  }
  return fmt::format("{:#x}", magic);
}

std::int64_t outcome(ssize_t result) { return result >= 0 ? result : -errno; }
int outcome(int result) { return result >= 0 ? result : -errno; }

std::uint64_t nanoseconds(const statx_timestamp& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * kNsPerSecond + time.tv_nsec;
}

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
  return hash ^ (hash >> 29);
}

std::uint64_t version_of(const struct statx& stat) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  const std::uint64_t now_ns =
      static_cast<std::uint64_t>(now.tv_sec) * kNsPerSecond + static_cast<std::uint64_t>(now.tv_nsec);
  if (nanoseconds(stat.stx_ctime) + kTimestampGrainNs > now_ns) return 0;
  std::uint64_t hash = 1;
  hash = mix(hash, makedev(stat.stx_dev_major, stat.stx_dev_minor));
  hash = mix(hash, stat.stx_ino);
  hash = mix(hash, stat.stx_size);
  hash = mix(hash, nanoseconds(stat.stx_mtime));
  hash = mix(hash, nanoseconds(stat.stx_ctime));
  return hash == 0 ? 1 : hash;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status flush_folder(const std::string& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return Status::from_errno(errno, "can't open the folder to flush it").with("folder", folder);
  const int error = fsync(file) == 0 ? 0 : errno;
  ::close(file);
  if (error != 0) return Status::from_errno(error, "flush of the folder failed").with("folder", folder);
  return {};
}

class PosixFileSystem final : public spi::FileSystem {
 public:
  Result<spi::FileHandle> open(const std::string& path, const spi::FileOpenOptions& options) override {
    int flags = O_CLOEXEC | (options.access == spi::FileAccess::write ? O_RDWR : O_RDONLY);
    if (options.create) flags |= O_CREAT;
    if (options.exclusive) flags |= O_EXCL;
    if (options.direct) flags |= O_DIRECT;
    // Not to hang on a FIFO that nobody writes.
    const int file = ::open(path.c_str(), flags | O_NONBLOCK, 0666);
    if (file < 0) return Status::from_errno(errno, "can't open").with("path", path);
    // io_uring answers EAGAIN instead of waiting where the flag stays.
    if (fcntl(file, F_SETFL, flags & ~(O_CREAT | O_EXCL | O_CLOEXEC)) != 0) {
      Status status = Status::from_errno(errno, "can't set the file's flags").with("path", path);
      ::close(file);
      return status;
    }
    return file;
  }

  void close(spi::FileHandle file) override {
    memory_writer_.forget(file);
    ::close(file);
  }

  Result<spi::FileAttributes> attributes(spi::FileHandle file) override {
    struct statx stat{};
    if (statx(file, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_DIOALIGN, &stat) != 0) {
      return Status::from_errno(errno, "can't read the file's attributes");
    }
    struct statfs system{};
    if (fstatfs(file, &system) != 0) return Status::from_errno(errno, "can't ask for the file system");
    spi::FileAttributes attributes;
    attributes.size_bytes = stat.stx_size;
    attributes.device = makedev(stat.stx_dev_major, stat.stx_dev_minor);
    attributes.inode = stat.stx_ino;
    if ((stat.stx_mask & STATX_DIOALIGN) != 0) {
      attributes.direct_memory_alignment = stat.stx_dio_mem_align;
      attributes.direct_offset_alignment = stat.stx_dio_offset_align;
    }
    attributes.is_regular = S_ISREG(stat.stx_mode);
    attributes.is_directory = S_ISDIR(stat.stx_mode);
    attributes.is_block_device = S_ISBLK(stat.stx_mode);
    const auto magic = static_cast<std::uint32_t>(system.f_type);
    // A device file lies on devtmpfs, the bytes behind it don't.
    attributes.is_memory =
        attributes.is_regular && (magic == TMPFS_MAGIC || magic == RAMFS_MAGIC || magic == HUGETLBFS_MAGIC);
    attributes.file_system = attributes.is_block_device ? "block device" : name_of(magic);
    attributes.version = version_of(stat);
    if (attributes.is_block_device) {
      const off_t end = lseek(file, 0, SEEK_END);
      if (end < 0) return Status::from_errno(errno, "can't ask for the device's size");
      attributes.size_bytes = static_cast<std::uint64_t>(end);
    }
    return attributes;
  }

  std::int64_t read(spi::FileHandle file, std::uint64_t offset, std::span<std::byte> memory, bool no_wait) override {
    if (!no_wait) return outcome(pread(file, memory.data(), memory.size(), static_cast<off_t>(offset)));
    const iovec vector{memory.data(), memory.size()};
    return outcome(preadv2(file, &vector, 1, static_cast<off_t>(offset), RWF_NOWAIT));
  }

  void read_many(spi::FileHandle file, std::span<spi::ReadPart> parts) override {
    std::size_t done = 0;
    if (parts.size() >= kBatchMin) {
      // Whether this file's reads can be asked not to wait, and whether that is likely to be needed.
      parts.front().result = read(file, parts.front().offset, parts.front().memory, true);
      if (parts.front().result >= 0) done = 1 + read_batch(file, parts.subspan(1));
    }
    for (spi::ReadPart& part : parts.subspan(done)) part.result = read(file, part.offset, part.memory, false);
  }

  std::int64_t write(spi::FileHandle file, std::uint64_t offset, std::span<const std::byte> memory) override {
    return outcome(pwrite(file, memory.data(), memory.size(), static_cast<off_t>(offset)));
  }

  std::int64_t write_together(spi::FileHandle file, std::uint64_t offset, std::span<const std::byte> memory) override {
    const std::int64_t result = memory_writer_.write(file, offset, memory);
    return result == -EOPNOTSUPP ? write(file, offset, memory) : result;
  }

  int flush(spi::FileHandle file) override { return outcome(fdatasync(file)); }

  int truncate(spi::FileHandle file, std::uint64_t size_bytes) override {
    memory_writer_.forget(file);
    return outcome(ftruncate(file, static_cast<off_t>(size_bytes)));
  }

  int reserve(spi::FileHandle file, std::uint64_t size_bytes) override {
    return outcome(fallocate(file, 0, 0, static_cast<off_t>(size_bytes)));
  }

  std::optional<std::uint64_t> resident(spi::FileHandle file, std::uint64_t offset, std::uint64_t length) override {
    return page_cache::resident(file, offset, length);
  }

  Result<std::byte*> map(spi::FileHandle file, std::uint64_t offset, std::uint64_t length) override {
    void* base = mmap(nullptr, length, PROT_READ, MAP_SHARED, file, static_cast<off_t>(offset));
    if (base == MAP_FAILED) return Status::from_errno(errno, "can't map the file").with("offset", offset);
    return static_cast<std::byte*>(base);
  }

  void unmap(std::byte* base, std::uint64_t length) override { munmap(base, length); }

  Result<base::UniqueFd> duplicate(spi::FileHandle file) override {
    base::UniqueFd copy(::fcntl(file, F_DUPFD_CLOEXEC, 0));
    if (!copy) return Status::from_errno(errno, "no descriptor left for a mapping");
    return copy;
  }

  Status rename(const std::string& from, const std::string& to) override {
    struct stat old{};
    if (stat(to.c_str(), &old) == 0 && chmod(from.c_str(), old.st_mode & 07777) != 0) {
      return Status::from_errno(errno, "can't take over the permissions").with("path", to);
    }
    if (std::rename(from.c_str(), to.c_str()) != 0) {
      return Status::from_errno(errno, "can't put the new file in place").with("path", to);
    }
    return flush_folder(folder_of(to));
  }

  Status remove(const std::string& path) override {
    if (unlink(path.c_str()) != 0) return Status::from_errno(errno, "can't remove").with("path", path);
    return {};
  }

 private:
  MemoryWriter memory_writer_;
};

}  // namespace

std::shared_ptr<spi::FileSystem> make_posix_file_system() { return std::make_shared<PosixFileSystem>(); }

}  // namespace gpuio::local
