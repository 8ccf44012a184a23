// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <utility>

#include "base/try.h"
#include "base/units.h"
#include "core/placement/placement.h"
#include "engine/mem/opened_memory.h"
#include "engine/mem/parameters.h"

namespace gpuio::mem {
namespace {

#ifndef MFD_HUGE_SHIFT
constexpr unsigned MFD_HUGE_SHIFT = 26;  // NOLINT(readability-identifier-naming): the kernel's name
#endif

/// Addresses cost nothing; a memory that grows has room for as much again, a gibibyte at least.
constexpr std::uint64_t kReserveBytesMin = base::kGiB;

std::uint64_t reserve_for(std::uint64_t size_bytes) {
  constexpr std::uint64_t kDoubledMax = 1ULL << 45U;
  return size_bytes > kDoubledMax ? size_bytes : std::max(kReserveBytesMin, 2 * std::bit_ceil(size_bytes));
}

bool makes(OpenMode mode) { return mode == OpenMode::create; }

Status check(const spi::Uri& uri, const Parameters& parameters, const OpenOptions& options) {
  if (uri.path != "dram") return Status(Code::invalid_argument, "mem:// has one kind of memory: mem://dram");
  if (options.mode == OpenMode::replace) {
    return Status(Code::unsupported, "memory is not replaced all or nothing: open it with OpenMode::create");
  }
  if (options.cache == CacheUse::direct) return Status(Code::unsupported, "memory has no cache to go around");
  if (parameters.numa_node) {
    GPUIO_TRY(core::placement::check(Placement::preferred(*parameters.numa_node), parameters.size_bytes)
                  .with("uri", uri.text));
  }
  if (parameters.temporary && parameters.name.empty()) {
    return Status(Code::invalid_argument, "temporary is for memory with a name; without one it goes anyway");
  }
  if (!parameters.name.empty() && page_bytes_of(parameters.huge) != 0) {
    return Status(Code::unsupported, "memory with a name can't have huge pages of its own: huge=transparent can");
  }
  return {};
}

/// Gives a memory its length, unless it has that.
Status lengthen(OpenedMemory& memory, std::uint64_t size_bytes) {
  const std::uint64_t page_bytes = memory.page_bytes;
  if (page_bytes != 0 && size_bytes % page_bytes != 0) {
    return Status(Code::invalid_argument, "size is not a multiple of the huge pages'")
        .with("size", size_bytes)
        .with("page_bytes", page_bytes);
  }
  if (size_bytes <= memory.size_bytes) return {};
  if (size_bytes > static_cast<std::uint64_t>(INT64_MAX) ||
      ::ftruncate(memory.descriptor.get(), static_cast<off_t>(size_bytes)) != 0) {
    return Status(Code::out_of_memory, "no memory of this size").with("size", size_bytes).with_native(errno);
  }
  memory.size_bytes = size_bytes;
  return {};
}

Result<OpenedMemory> make_own(const Parameters& parameters, const OpenOptions& options) {
  if (options.mode == OpenMode::read) {
    return Status(Code::invalid_argument,
                  "memory without a name starts as zeros and nobody else writes it: open it with OpenMode::create");
  }
  OpenedMemory memory;
  unsigned flags = MFD_CLOEXEC;
  memory.page_bytes = page_bytes_of(parameters.huge);
  if (memory.page_bytes != 0) {
    flags |= MFD_HUGETLB | (static_cast<unsigned>(std::countr_zero(memory.page_bytes)) << MFD_HUGE_SHIFT);
  }
  memory.descriptor.reset(::memfd_create("gpuio", flags));
  if (!memory.descriptor) {
    const bool no_such_pages = memory.page_bytes != 0 && (errno == ENODEV || errno == EINVAL || errno == ENOENT);
    if (!no_such_pages) return Status::from_errno(errno, "can't make memory");
    return Status(Code::unsupported, "this system has no huge pages of that size").with("bytes", memory.page_bytes);
  }
  memory.name = "memory of this process";
  return memory;
}

Result<OpenedMemory> open_named(const Parameters& parameters, const OpenOptions& options) {
  OpenedMemory memory;
  const std::string name = "/" + parameters.name;
  int flags = O_CLOEXEC | (options.mode == OpenMode::read ? O_RDONLY : O_RDWR);
  if (makes(options.mode)) flags |= O_CREAT;
  memory.descriptor.reset(::shm_open(name.c_str(), flags, 0600));
  if (!memory.descriptor) return Status::from_errno(errno, "can't open shared memory").with("name", parameters.name);
  struct stat now{};
  if (::fstat(memory.descriptor.get(), &now) != 0) {
    return Status::from_errno(errno, "can't ask for the memory's size").with("name", parameters.name);
  }
  memory.size_bytes = static_cast<std::uint64_t>(now.st_size);
  memory.name = "shared memory " + name;
  if (parameters.temporary) memory.closed = [name] { ::shm_unlink(name.c_str()); };
  return memory;
}

}  // namespace

Result<OpenedMemory> open_dram(const spi::Uri& uri, const OpenOptions& options) {
  GPUIO_ASSIGN(const Parameters parameters, read_parameters(uri));
  GPUIO_TRY(check(uri, parameters, options).with("uri", uri.text));
  const bool own = parameters.name.empty();
  const std::uint64_t size_bytes = std::max(parameters.size_bytes, options.size_bytes);
  auto opened = own ? make_own(parameters, options) : open_named(parameters, options);
  if (!opened) return std::move(opened).error().with("uri", uri.text);
  OpenedMemory memory = *std::move(opened);
  if (own || makes(options.mode)) GPUIO_TRY(lengthen(memory, size_bytes).with("uri", uri.text));
  if (memory.size_bytes == 0) {
    return Status(Code::invalid_argument, "the memory has no bytes: give it some with size=").with("uri", uri.text);
  }
  if (memory.size_bytes < size_bytes) {
    return Status(Code::out_of_range, "the memory is shorter than size=")
        .with("uri", uri.text)
        .with("size", memory.size_bytes);
  }
  memory.tier = "dram";
  memory.writable = options.mode != OpenMode::read;
  memory.can_grow = memory.writable;
  memory.lendable = true;
  memory.numa_node = parameters.numa_node;
  memory.huge_transparent = parameters.huge == HugePages::transparent;
  memory.reserve_bytes = std::max(parameters.reserve_bytes, memory.size_bytes);
  if (parameters.reserve_bytes == 0 && memory.can_grow) memory.reserve_bytes = reserve_for(memory.size_bytes);
  memory.made_of = memory.name;
  if (memory.page_bytes != 0) memory.made_of += ", pages of " + base::format_size(memory.page_bytes);
  if (memory.huge_transparent) memory.made_of += ", huge pages where the kernel has some";
  if (memory.numa_node) memory.made_of += ", on NUMA node " + std::to_string(*memory.numa_node);
  return memory;
}

}  // namespace gpuio::mem
