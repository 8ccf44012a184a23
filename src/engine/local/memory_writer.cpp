// SPDX-License-Identifier: Apache-2.0
#include "engine/local/memory_writer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>

namespace gpuio::local {
namespace {

/// Address space costs nothing, mapping anew does: a growing file gets room for its next gibibyte.
constexpr std::uint64_t kRoomBytesMin = 1ULL << 30U;

/// 0 where it can't be told.
std::uint64_t size_of(int file) {
  struct stat now{};
  return ::fstat(file, &now) == 0 ? static_cast<std::uint64_t>(now.st_size) : 0;
}

}  // namespace

MemoryWriter::Mapping::~Mapping() {
  if (base != nullptr) ::munmap(base, bytes);
}

std::int64_t MemoryWriter::write(int file, std::uint64_t offset, std::span<const std::byte> memory) {
  const std::uint64_t end = offset + memory.size();
  const std::shared_ptr<Mapping> target = mapping(file, end);
  if (target == nullptr) return -EOPNOTSUPP;
  if (const int error = grow(file, *target, end, memory.back()); error != 0) return -error;
  const iovec from{const_cast<std::byte*>(memory.data()), memory.size()};
  const iovec to{target->base + offset, memory.size()};
  const ssize_t written = ::process_vm_writev(::getpid(), &from, 1, &to, 1, 0);
  if (written < 0) return errno == EFAULT || errno == EPERM || errno == ENOSYS ? -EOPNOTSUPP : -errno;
  // What another process cut off since, a write through the file would have put back.
  if (size_of(file) >= end) return written;
  const std::lock_guard lock(target->growing);
  target->file_bytes = 0;
  return -EOPNOTSUPP;
}

int MemoryWriter::grow(int file, Mapping& mapping, std::uint64_t end, std::byte last) {
  const std::lock_guard lock(mapping.growing);
  if (end <= mapping.file_bytes) return 0;
  const std::uint64_t size = size_of(file);
  // By writing its last byte: ftruncate would cut what another process adds between the question and the answer.
  if (size < end && ::pwrite(file, &last, 1, static_cast<off_t>(end - 1)) != 1) return errno;
  mapping.file_bytes = std::max(size, end);
  return 0;
}

std::shared_ptr<MemoryWriter::Mapping> MemoryWriter::mapping(int file, std::uint64_t end) {
  {
    const std::shared_lock lock(mutex_);
    const auto found = mappings_.find(file);
    if (found != mappings_.end() && found->second->bytes >= end) return found->second;
  }
  const std::unique_lock lock(mutex_);
  std::shared_ptr<Mapping>& known = mappings_[file];
  if (known != nullptr && known->bytes >= end) return known;
  auto made = std::make_shared<Mapping>();
  const std::uint64_t bytes = std::bit_ceil(std::max(end, kRoomBytesMin));
  void* base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
  if (base == MAP_FAILED) return nullptr;
  made->base = static_cast<std::byte*>(base);
  made->bytes = bytes;
  known = made;
  return made;
}

void MemoryWriter::forget(int file) {
  std::shared_ptr<Mapping> last;  // unmapped after the lock is gone
  const std::unique_lock lock(mutex_);
  const auto found = mappings_.find(file);
  if (found == mappings_.end()) return;
  last = std::move(found->second);
  mappings_.erase(found);
}

}  // namespace gpuio::local
