// SPDX-License-Identifier: Apache-2.0
#include "engine/local/page_cache.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace gpuio::local::page_cache {
namespace {

// Linux 6.5; libc headers of our time don't have it. The number is the same on every architecture.
constexpr long kCachestatCall = 451;
constexpr std::uint64_t kPageBytes = 4096;

struct CachestatRange {
  std::uint64_t offset;
  std::uint64_t length;
};
struct Cachestat {
  std::uint64_t cached;
  std::uint64_t dirty;
  std::uint64_t writeback;
  std::uint64_t evicted;
  std::uint64_t recently_evicted;
};

std::uint64_t clip(std::uint64_t pages, std::uint64_t length) { return std::min(pages * kPageBytes, length); }

std::optional<std::uint64_t> ask_cachestat(int file, std::uint64_t offset, std::uint64_t length) {
  CachestatRange range{offset, length};
  Cachestat answer{};
  if (syscall(kCachestatCall, static_cast<unsigned>(file), &range, &answer, 0U) != 0) return std::nullopt;
  return clip(answer.cached, length);
}

std::optional<std::uint64_t> ask_mincore(int file, std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t start = offset & ~(kPageBytes - 1);
  const std::uint64_t span = offset + length - start;
  // Mapped to be asked about, never touched.
  void* mapping = mmap(nullptr, span, PROT_READ, MAP_SHARED, file, static_cast<off_t>(start));
  if (mapping == MAP_FAILED) return std::nullopt;
  std::vector<unsigned char> pages((span + kPageBytes - 1) / kPageBytes);
  const int outcome = mincore(mapping, span, pages.data());
  munmap(mapping, span);
  if (outcome != 0) return std::nullopt;
  const auto count = std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return (page & 1) != 0; });
  return clip(static_cast<std::uint64_t>(count), length);
}

Method probe() {
  // A file of our own: on one of somebody else's a refusal would not say whether the call or the file was meant.
  const int file = memfd_create("gpuio-probe", MFD_CLOEXEC);
  if (file < 0) return Method::none;
  Method found = Method::none;
  if (ftruncate(file, kPageBytes) == 0) {
    if (ask_cachestat(file, 0, kPageBytes)) {
      found = Method::cachestat;
    } else if (ask_mincore(file, 0, kPageBytes)) {
      found = Method::mincore;
    }
  }
  close(file);
  return found;
}

}  // namespace

Method method() {
  static const Method found = probe();
  return found;
}

std::string_view to_string(Method method) noexcept {
  switch (method) {
    case Method::cachestat:
      return "cachestat";
    case Method::mincore:
      return "mincore";
    case Method::none:
      break;
  }
  return "none";
}

std::optional<std::uint64_t> resident(int file, std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return 0;
  switch (method()) {
    case Method::cachestat:
      return ask_cachestat(file, offset, length);
    case Method::mincore:
      return ask_mincore(file, offset, length);
    case Method::none:
      break;
  }
  return std::nullopt;
}

}  // namespace gpuio::local::page_cache
