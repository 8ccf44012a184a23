// SPDX-License-Identifier: Apache-2.0
// core.priority: small urgent O_DIRECT reads beside bulk O_DIRECT reads that fill the disk, default settings.

#include <cmath>
#include <map>
#include <stop_token>
#include <thread>

#include "cpu/bulk_reader.h"
#include "cpu/measurements.h"
#include "harness/alternate.h"
#include "harness/files.h"

namespace gpuio::bench {
namespace {

constexpr std::uint64_t kReadBytes = 4096;
constexpr auto kPause = std::chrono::milliseconds(2);

/// Urgent reads, one at a time, until it is told to stop: their latencies in ms.
std::vector<double> read_urgently(const Context& io, const Store& file, const Buffer& memory, unsigned seed,
                                  const std::stop_token& stop) {
  std::vector<double> latencies_ms;
  const std::vector<Extent> extents = random_extents(file.size(), kReadBytes, 10'000, seed);
  for (std::size_t i = 0; !stop.stop_requested(); i = (i + 1) % extents.size()) {
    const Layout extent = Layout::contiguous(extents[i].offset, extents[i].length);
    const TransferOptions urgent{.priority = Priority::high, .cache = CacheUse::direct};
    const Stopwatch watch;
    throw_if_failed(io.read(file, extent, memory, urgent).value().wait());
    latencies_ms.push_back(std::round(watch.seconds() * 1e6) * 1e-3);
    std::this_thread::sleep_for(kPause);
  }
  return latencies_ms;
}

}  // namespace

void priority(const Options& options, Samples& samples) {
  const std::filesystem::path path = options.disk / "sequential.bin";
  make_random_file(path, options.file_bytes_or(std::uint64_t{4} << 30));
  require_direct(path);
  evict(path);

  const Context io = make_context();
  const Store file = io.open(path.string(), {.cache = CacheUse::direct}).value();
  const Buffer memory = io.device("host").value().allocate(kReadBytes, {.kind = RegionKind::pinned}).value();
  BulkReader bulk(io, file);
  const auto offset_of = [&](unsigned pair) { return pair % 16 * (file.size() / 16); };

  std::map<unsigned, std::vector<double>> latencies_ms;  // By pair; the warm-up's are overwritten.
  alternate(samples,
            {{"bulk beside urgent reads",
              [&](unsigned pair) {
                const std::jthread reader([&](const std::stop_token& stop) {
                  latencies_ms[pair] = read_urgently(io, file, memory, pair, stop);
                });
                return bulk.run(offset_of(pair), options.slice_seconds);
              }},
             {"bulk alone", [&](unsigned pair) { return bulk.run(offset_of(pair), options.slice_seconds); }}},
            options.rounds_or(15));
  for (const auto& [pair, values] : latencies_ms) samples.add("urgent reads", pair, "latency_ms", values);
}

}  // namespace gpuio::bench
