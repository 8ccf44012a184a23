// SPDX-License-Identifier: Apache-2.0
// load.cold: a file that is not in memory into GPU memory, against reading it O_DIRECT and dropping the bytes.

#include <atomic>
#include <cstdlib>
#include <memory>
#include <thread>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fmt/core.h>

#include "gpu/gpu_rig.h"
#include "gpu/measurements.h"
#include "harness/files.h"
#include "harness/fio.h"

namespace gpuio::bench {
namespace {

constexpr std::uint64_t kPartBytes = std::uint64_t{1} << 30;
constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

std::uint64_t part_of(const Store& file, unsigned pair) { return pair % (file.size() / kPartBytes) * kPartBytes; }

Sample dd(const std::filesystem::path& path, std::uint64_t offset) {
  constexpr std::uint64_t kBlockBytes = std::uint64_t{8} << 20;
  Sample sample{.bytes = kPartBytes, .operations = kPartBytes / kBlockBytes};
  const Stopwatch watch;
  static_cast<void>(run_program({"dd", "if=" + path.string(), "of=/dev/null", "iflag=direct", "status=none",
                                 fmt::format("bs={}", kBlockBytes), fmt::format("skip={}", offset / kBlockBytes),
                                 fmt::format("count={}", kPartBytes / kBlockBytes)}));
  sample.seconds = watch.seconds();
  return sample;
}

using Block = std::unique_ptr<void, void (*)(void*)>;

/// In huge pages where there are: a disk is given fewer, larger pieces then, and our own slabs lie in some too.
Block make_block(std::size_t bytes) {
  const std::size_t whole = (bytes + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  Block block(std::aligned_alloc(kHugePageBytes, whole), std::free);
  ::madvise(block.get(), whole, MADV_HUGEPAGE);
  return block;
}

/// Threads that each read the next block until none is left.
Sample pread_direct(const std::filesystem::path& path, std::uint64_t offset, unsigned threads,
                    std::size_t block_bytes) {
  const base::UniqueFd fd = open_or_throw(path, O_RDONLY | O_DIRECT);
  return timed([&](Sample& sample) {
    std::atomic<std::uint64_t> next = 0;
    std::atomic<std::uint64_t> bytes = 0;
    std::vector<std::jthread> all;
    all.reserve(threads);
    for (unsigned i = 0; i < threads; ++i) {
      all.emplace_back([&] {
        const Block block = make_block(block_bytes);
        for (std::uint64_t at = 0; (at = next.fetch_add(block_bytes)) < kPartBytes;) {
          const ssize_t got = ::pread(fd.get(), block.get(), block_bytes, static_cast<off_t>(offset + at));
          if (got > 0) bytes += static_cast<std::uint64_t>(got);
        }
      });
    }
    all.clear();
    if (bytes != kPartBytes) throw std::runtime_error("a direct read was short");
    sample.bytes = bytes;
    sample.operations = kPartBytes / block_bytes;
  });
}

std::vector<Contender> direct_readers(const std::filesystem::path& path, const Store& file, double seconds) {
  std::vector<Contender> readers{{"dd", [&, path](unsigned pair) { return dd(path, part_of(file, pair)); }}};
  for (const unsigned threads : {4U, 16U}) {
    for (const std::size_t block_kib : {256U, 2048U}) {
      readers.push_back({fmt::format("pread, threads: {}, {} KiB", threads, block_kib), [=, &file](unsigned pair) {
                           return pread_direct(path, part_of(file, pair), threads, block_kib << 10U);
                         }});
    }
  }
  if (fio_installed()) {
    readers.push_back({"fio", [=, &file](unsigned pair) {
                         return fio({.file = path,
                                     .random = false,
                                     .block_bytes = std::uint64_t{256} << 10U,
                                     .depth = 32,
                                     .offset = part_of(file, pair),
                                     .seconds = seconds,
                                     .seed = 1});
                       }});
  }
  return readers;
}

}  // namespace

void load_cold(const Options& options, Samples& samples) {
  const std::filesystem::path path = options.disk / "model.safetensors";
  make_model_file(path, options.file_bytes_or(kModelBytes));
  require_direct(path);
  GpuRig rig(options, path);
  const auto load_part = [&](unsigned pair) {
    evict(path);
    return timed([&](Sample& sample) {
      const Layout part = Layout::contiguous(part_of(rig.file(), pair), kPartBytes);
      const Slice target = rig.memory().slice(0, kPartBytes).value();
      throw_if_failed(rig.io().read(rig.file(), part, target, {.cache = CacheUse::direct}).value().wait());
      sample.bytes = kPartBytes;
      sample.operations = 1;
    });
  };
  Contender best = best_of(samples, direct_readers(path, rig.file(), options.slice_seconds));
  best.name = "direct reads at their best";
  alternate(samples, {{"gpuio", load_part}, best}, options.rounds_or(10));
  rig.add_budgets(samples);
}

}  // namespace gpuio::bench
