// SPDX-License-Identifier: Apache-2.0
#include "cpu/hot_loops.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness/files.h"
#include "harness/in_parts.h"

namespace gpuio::bench {
namespace {

void check_read(ssize_t got, std::size_t wanted) {
  if (got != static_cast<ssize_t>(wanted)) throw std::system_error(errno, std::generic_category(), "short read");
}

}  // namespace

Sample read_whole(const std::filesystem::path& path, std::span<std::byte> memory, const HotLoop& loop) {
  const base::UniqueFd fd = open_or_throw(path, O_RDONLY);
  return timed([&](Sample& sample) {
    const std::byte* file = nullptr;
    if (loop.way == Way::map) {
      void* mapped = ::mmap(nullptr, memory.size(), PROT_READ, MAP_SHARED | MAP_POPULATE, fd.get(), 0);
      if (mapped == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
      file = static_cast<const std::byte*>(mapped);
    }
    in_parts(memory.size(), loop.threads, [&](std::size_t begin, std::size_t end) {
      for (std::size_t at = begin; at < end; at += loop.chunk_bytes) {
        const std::size_t bytes = std::min(loop.chunk_bytes, end - at);
        if (file != nullptr) {
          std::memcpy(memory.data() + at, file + at, bytes);
        } else {
          check_read(::pread(fd.get(), memory.data() + at, bytes, static_cast<off_t>(at)), bytes);
        }
      }
    });
    if (file != nullptr) ::munmap(const_cast<std::byte*>(file), memory.size());
    sample.bytes = memory.size();
    sample.operations = 1;
  });
}

Sample read_extents(const std::filesystem::path& path, std::span<const Extent> extents, std::byte* memory,
                    unsigned threads) {
  const base::UniqueFd fd = open_or_throw(path, O_RDONLY);
  return timed([&](Sample& sample) {
    const std::size_t bytes = extents.front().length;
    in_parts(extents.size(), threads, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        check_read(::pread(fd.get(), memory + i * bytes, bytes, static_cast<off_t>(extents[i].offset)), bytes);
      }
    });
    sample.bytes = extents.size() * bytes;
    sample.operations = extents.size();
  });
}

}  // namespace gpuio::bench
