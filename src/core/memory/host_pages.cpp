// SPDX-License-Identifier: Apache-2.0
#include "core/memory/host_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/try.h"
#include "core/executor/thread.h"
#include "core/placement/placement.h"

namespace gpuio::core {
namespace {

constexpr std::size_t kHugePageBytes = std::size_t{2} << 20U;

// One thread zeroes 2 to 6 GB/s, 16 threads 26: beyond that the memory is the limit. A piece takes much longer than to
// start a thread for it.
constexpr std::size_t kPieceBytes = std::size_t{32} << 20U;
constexpr std::size_t kTouchersMax = 16;

#ifndef MADV_POPULATE_WRITE
constexpr int MADV_POPULATE_WRITE = 23;  // Linux 5.14
#endif

/// Maps `bytes` at a multiple of `alignment`: maps more and gives the ends back. Null when there is no room.
std::byte* map_aligned(std::size_t bytes, std::size_t alignment) noexcept {
  const std::size_t mapped = bytes + alignment;
  void* const memory = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* const start = static_cast<std::byte*>(memory);
  const std::size_t skip = (alignment - reinterpret_cast<std::uintptr_t>(start) % alignment) % alignment;
  if (skip > 0) ::munmap(start, skip);
  ::munmap(start + skip + bytes, alignment - skip);
  return start + skip;
}

/// Gives every page memory behind it. False when there is none.
bool touch_piece(std::byte* base, std::size_t bytes, std::size_t page_bytes) noexcept {
  if (::madvise(base, bytes, MADV_POPULATE_WRITE) == 0) return true;
  if (errno != EINVAL && errno != ENOSYS) return false;
  for (std::size_t at = 0; at < bytes; at += page_bytes) *const_cast<volatile std::byte*>(base + at) = std::byte{0};
  return true;
}

/// As touch_piece, by as many threads as it takes to be bound by memory, near `numa_node`.
bool touch(std::byte* base, std::size_t bytes, std::size_t page_bytes, int numa_node) {
  const std::size_t pieces = (bytes + kPieceBytes - 1) / kPieceBytes;
  if (pieces == 1) return touch_piece(base, bytes, page_bytes);
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> enough = true;
  const auto work = [&] {
    for (std::size_t piece = next++; piece < pieces && enough; piece = next++) {
      const std::size_t begin = piece * kPieceBytes;
      if (!touch_piece(base + begin, std::min(kPieceBytes, bytes - begin), page_bytes)) enough = false;
    }
  };
  std::vector<std::thread> helpers;
  helpers.reserve(kTouchersMax);
  const std::size_t touchers = std::min({pieces, kTouchersMax, std::size_t{usable_cores()}});
  while (helpers.size() + 1 < touchers) {
    Result<std::thread> helper = start_thread("gpuio-touch", numa_node, work);
    if (!helper) break;  // Those that there are do it all.
    helpers.push_back(*std::move(helper));
  }
  work();
  for (std::thread& helper : helpers) helper.join();
  return enough;
}

}  // namespace

Result<HostPages> HostPages::map(std::size_t bytes, int numa_node, const Placement& placement) {
  const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t whole = (bytes + page_bytes - 1) / page_bytes * page_bytes;
  const std::size_t alignment = whole >= kHugePageBytes ? kHugePageBytes : page_bytes;
  std::byte* const base = map_aligned(whole, alignment);
  if (base == nullptr) return Status(Code::out_of_memory, "mapping host memory failed").with("bytes", bytes);
  HostPages pages(base, whole);
  PlacementSystem& system = PlacementSystem::process();
  // Both only make it faster: without huge pages, or on a far node, the memory serves as well.
  ::madvise(base, whole, placement.huge_pages == HugePages::never ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
  if (Status applied = placement::apply(system, base, whole, placement, numa_node); !applied.ok()) {
    if (placement != Placement()) return applied;
    GPUIO_LOG(warn, "core", "host memory is where the kernel put it: " + applied.to_string());
  }
  // After a fork, the parent's next write would move the page away from where the device writes.
  ::madvise(base, whole, MADV_DONTFORK);
  if (!touch(base, whole, page_bytes, numa_node)) {
    return Status(Code::out_of_memory, "no host memory left").with("bytes", bytes);
  }
  GPUIO_TRY(placement::verify(system, base, whole, placement, numa_node));
  return pages;
}

HostPages::~HostPages() {
  if (base_ != nullptr) ::munmap(base_, bytes_);
}

}  // namespace gpuio::core
