// SPDX-License-Identifier: Apache-2.0
// local.rand_direct: 4 KiB random O_DIRECT reads, 64 under way, against fio.

#include <array>

#include "cpu/measurements.h"
#include "harness/alternate.h"
#include "harness/files.h"
#include "harness/fio.h"

namespace gpuio::bench {
namespace {

constexpr std::uint64_t kBlockBytes = 4096;
constexpr unsigned kDepth = 64;
constexpr std::uint64_t kReadsPerRequest = 4096;

/// Requests of many reads each, two under way.
Sample read_at_random(const Context& io, const Store& file, const Buffer& memory, double seconds, unsigned pair) {
  std::array<Request, 2> flying;
  return timed([&](Sample& sample) {
    const Stopwatch watch;
    for (std::uint64_t turn = 0; watch.seconds() < seconds; ++turn) {
      Request& request = flying[turn % flying.size()];
      if (request) throw_if_failed(request.wait());
      Layout extents = Layout::extents(
          random_extents(file.size(), kBlockBytes, kReadsPerRequest, std::uint64_t{pair} * 100'000 + turn));
      const std::uint64_t bytes = kReadsPerRequest * kBlockBytes;
      const Slice half = memory.slice(turn % flying.size() * bytes, bytes).value();
      request = io.read(file, extents, half, {.cache = CacheUse::direct}).value();
      sample.bytes += bytes;
      sample.operations += kReadsPerRequest;
    }
    for (const Request& request : flying) {
      if (request) throw_if_failed(request.wait());
    }
  });
}

}  // namespace

void rand_direct(const Options& options, Samples& samples) {
  const std::filesystem::path path = options.disk / "sequential.bin";
  make_random_file(path, options.file_bytes_or(std::uint64_t{4} << 30));
  require_direct(path);
  evict(path);

  // Neighbours are not joined, so that both sides make as many reads.
  const Context io =
      make_context({{"local.queue_depth_max", std::to_string(kDepth)}, {"scheduler.coalesce_gap_bytes", "0"}});
  const Store file = io.open(path.string(), {.cache = CacheUse::direct}).value();
  const Buffer memory =
      io.device("host").value().allocate(2 * kReadsPerRequest * kBlockBytes, {.kind = RegionKind::pinned}).value();

  alternate(samples,
            {{"gpuio", [&](unsigned pair) { return read_at_random(io, file, memory, options.slice_seconds, pair); }},
             {"fio",
              [&](unsigned pair) {
                return fio({.file = path,
                            .random = true,
                            .block_bytes = kBlockBytes,
                            .depth = kDepth,
                            .offset = 0,
                            .seconds = options.slice_seconds,
                            .seed = pair + 1});
              }}},
            options.rounds_or(25));
}

}  // namespace gpuio::bench
