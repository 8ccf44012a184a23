// SPDX-License-Identifier: Apache-2.0
#include "device/host/memory.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>

#include "base/align.h"
#include "base/try.h"
#include "core/placement/placement.h"

namespace gpuio::host {
namespace {

constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

std::size_t page_bytes() {
  static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

Result<std::byte*> map_pages(std::size_t bytes, HugePages huge_pages) {
  void* mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return Status(Code::out_of_memory, "the system has no such memory").with("bytes", bytes);
  // Refused where the kernel has no huge pages: slower, not wrong.
  if (huge_pages == HugePages::never) {
    madvise(mapped, bytes, MADV_NOHUGEPAGE);
  } else if (bytes >= kHugePageBytes) {
    madvise(mapped, bytes, MADV_HUGEPAGE);
  }
  return static_cast<std::byte*>(mapped);
}

/// Locks pages as they are touched, so that locking a large range takes no time.
Status lock_pages(std::byte* base, std::size_t bytes) {
  if (mlock2(base, bytes, MLOCK_ONFAULT) == 0) return {};
  const int error = errno;
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
      (error == ENOMEM || error == EPERM)) {
    return Status(Code::resource_exhausted,
                  "pinned memory is locked, and this process may lock no more: raise `ulimit -l` (LimitMEMLOCK= of a "
                  "systemd unit) or use mapped memory")
        .with("bytes", bytes)
        .with("memlock_limit_bytes", limit.rlim_cur)
        .with_native(error);
  }
  return Status::from_errno(error, "mlock2 failed").with("bytes", bytes);
}

/// The first range of `book` that shares a byte with [base, base + bytes), or end.
auto find_overlap(const std::map<std::byte*, std::size_t>& book, std::byte* base, std::size_t bytes) {
  auto next = book.lower_bound(base + bytes);
  if (next == book.begin()) return book.end();
  const auto before = std::prev(next);
  return before->first + before->second > base ? before : book.end();
}

}  // namespace

Result<std::byte*> Memory::allocate(RegionKind kind, std::size_t bytes, const Placement& placement) {
  if (bytes == 0) return Status(Code::invalid_argument, "an allocation of zero bytes");
  if (kind == RegionKind::user) return Status(Code::invalid_argument, "user memory is lent, not allocated");
  if (bytes > SIZE_MAX / 2) return Status(Code::out_of_memory, "more than the address space").with("bytes", bytes);
  const std::size_t whole = base::align_up(bytes, page_bytes());
  GPUIO_ASSIGN(std::byte * base, map_pages(whole, placement.huge_pages));
  // The host device's nearest node is the one of the thread that touches: the kernel's own way.
  Status status = core::placement::place(core::PlacementSystem::process(), base, whole, placement, -1);
  if (status.ok() && kind == RegionKind::pinned) status = lock_pages(base, whole);
  if (!status.ok()) {
    munmap(base, whole);
    return status;
  }
  std::lock_guard lock(mutex_);
  allocated_.emplace(base, bytes);
  return base;
}

Status Memory::free(std::byte* base, std::size_t bytes) {
  {
    std::lock_guard lock(mutex_);
    const auto found = allocated_.find(base);
    if (found == allocated_.end() || found->second != bytes) {
      return Status(Code::invalid_argument, "this device allocated no such range").with("bytes", bytes);
    }
    allocated_.erase(found);
  }
  if (munmap(base, base::align_up(bytes, page_bytes())) != 0) return Status::from_errno(errno, "munmap failed");
  return {};
}

Status Memory::register_range(std::byte* base, std::size_t bytes) {
  if (base == nullptr || bytes == 0) return Status(Code::invalid_argument, "registering an empty range");
  if (reinterpret_cast<std::uintptr_t>(base) % page_bytes() != 0 || bytes % page_bytes() != 0) {
    return Status(Code::invalid_argument, "a registered range starts and ends on pages").with("bytes", bytes);
  }
  std::lock_guard lock(mutex_);
  if (find_overlap(registered_, base, bytes) != registered_.end()) {
    return Status(Code::already_exists, "the range overlaps one that is registered").with("bytes", bytes);
  }
  registered_.emplace(base, bytes);
  return {};
}

Status Memory::unregister_range(std::byte* base, std::size_t bytes) {
  std::lock_guard lock(mutex_);
  const auto found = registered_.find(base);
  if (found == registered_.end() || found->second != bytes) {
    return Status(Code::not_found, "no such range is registered").with("bytes", bytes);
  }
  registered_.erase(found);
  return {};
}

Result<SystemMemory> system_memory() {
  SystemMemory memory;
  std::ifstream file("/proc/meminfo");
  std::string unit;
  std::uint64_t kibibytes = 0;
  for (std::string key; file >> key >> kibibytes && std::getline(file, unit);) {
    if (key == "MemTotal:") memory.total_bytes = kibibytes * 1024;
    if (key == "MemAvailable:") memory.available_bytes = kibibytes * 1024;
  }
  if (memory.total_bytes == 0)
    return Status(Code::unsupported, "/proc/meminfo does not tell the memory of this machine");
  return memory;
}

}  // namespace gpuio::host
