// SPDX-License-Identifier: Apache-2.0
// mem.copy: cold host memory to host memory, against memcpy, stores past the caches and both by two threads.

#include <algorithm>
#include <cstring>

#include <fmt/core.h>

#include "cpu/measurements.h"
#include "cpu/memory_loops.h"
#include "harness/alternate.h"
#include "harness/in_parts.h"

namespace gpuio::bench {
namespace {

void memcpy_loop(std::byte* to, const std::byte* from, std::size_t bytes) { std::memcpy(to, from, bytes); }

}  // namespace

void memory_copy(const Options& options, Samples& samples) {
  constexpr std::uint64_t kGrain = 4096;  // Parts of by-hand copies are whole lines.
  const std::uint64_t bytes = options.file_bytes_or(std::uint64_t{256} << 20U) / kGrain * kGrain;
  const Context io = make_context();
  const Device host = io.device("host").value();
  const Buffer from = host.allocate(bytes).value();
  const Buffer to = host.allocate(bytes).value();
  std::memset(from.data(), 1, bytes);
  std::memset(to.data(), 2, bytes);

  const auto by_hand = [&](const CopyLoop& loop, unsigned threads) {
    return Contender{std::string(loop.name), [&from, &to, bytes, loop, threads](unsigned) {
                       return timed([&](Sample& sample) {
                         in_parts(bytes / kGrain, threads, [&](std::size_t begin, std::size_t end) {
                           loop.copy(to.data() + begin * kGrain, from.data() + begin * kGrain, (end - begin) * kGrain);
                         });
                         sample.bytes = bytes;
                         sample.operations = 1;
                       });
                     }};
  };
  std::vector<Contender> contenders{{"gpuio", [&](unsigned) {
                                       return timed([&](Sample& sample) {
                                         throw_if_failed(io.copy(from, to).value().wait());
                                         sample.bytes = bytes;
                                         sample.operations = 1;
                                       });
                                     }}};
  for (const unsigned threads : {1U, 2U}) {
    contenders.push_back(by_hand({"memcpy", memcpy_loop}, threads));
    contenders.back().name = fmt::format("memcpy, threads: {}", threads);
    if (non_temporal_loops().empty()) continue;
    std::vector<Contender> forms;
    for (const CopyLoop& loop : non_temporal_loops()) forms.push_back(by_hand(loop, threads));
    Contender best = best_of(samples, forms);
    best.name = fmt::format("non-temporal, threads: {}", threads);
    contenders.push_back(std::move(best));
  }
  alternate(samples, contenders, options.rounds_or(20));
}

}  // namespace gpuio::bench
