// SPDX-License-Identifier: Apache-2.0
// local.hot_host: a file in the page cache into host memory, against loops by hand.

#include <fmt/core.h>

#include "cpu/hot_loops.h"
#include "cpu/measurements.h"
#include "harness/alternate.h"
#include "harness/files.h"

namespace gpuio::bench {

void hot_host(const Options& options, Samples& samples) {
  const std::uint64_t file_bytes = options.file_bytes_or(std::uint64_t{1} << 30);
  const std::filesystem::path path = options.disk / "hot.bin";
  make_random_file(path, file_bytes);
  const HotFile hot(path);

  const Context io = make_context();
  const Store file = io.open(path.string()).value();
  const Buffer memory = io.device("host").value().allocate(file_bytes).value();
  const std::span<std::byte> bytes(memory.data(), memory.size());

  std::vector<Contender> contenders{{"gpuio", [&](unsigned) {
                                       return timed([&](Sample& sample) {
                                         throw_if_failed(io.read(file, memory).value().wait());
                                         sample.bytes = file_bytes;
                                         sample.operations = 1;
                                       });
                                     }}};
  static_cast<void>(contenders.front().run(0));  // Touches the memory before any loop is tried.
  for (const Way way : {Way::read, Way::map}) {
    for (const unsigned threads : {1U, 2U}) {
      const std::string name = fmt::format("{}, threads: {}", way == Way::read ? "read" : "mmap+memcpy", threads);
      std::vector<Contender> forms;
      for (const std::size_t chunk_kib : {128U, 1024U, 16384U}) {
        const HotLoop loop{way, threads, chunk_kib << 10U};
        forms.push_back({fmt::format("{}, {} KiB", name, chunk_kib),
                         [&path, bytes, loop](unsigned) { return read_whole(path, bytes, loop); }});
      }
      Contender best = best_of(samples, forms);
      best.name = name;
      contenders.push_back(std::move(best));
    }
  }
  alternate(samples, contenders, options.rounds_or(20));
}

}  // namespace gpuio::bench
