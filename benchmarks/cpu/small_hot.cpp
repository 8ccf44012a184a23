// SPDX-License-Identifier: Apache-2.0
// local.small_hot: 100,000 random 4 KiB extents of a file in the page cache as one Request, against a pread loop.

#include "cpu/hot_loops.h"
#include "cpu/measurements.h"
#include "harness/alternate.h"
#include "harness/files.h"

namespace gpuio::bench {

void small_hot(const Options& options, Samples& samples) {
  constexpr std::uint64_t kReadBytes = 4096;
  constexpr std::uint64_t kReads = 100'000;
  const std::uint64_t file_bytes = options.file_bytes_or(std::uint64_t{1} << 30);
  const std::filesystem::path path = options.disk / "hot.bin";
  make_random_file(path, file_bytes);
  const HotFile hot(path);

  const Context io = make_context();
  const Store file = io.open(path.string()).value();
  const Buffer memory = io.device("host").value().allocate(kReads * kReadBytes).value();
  const std::vector<Extent> extents = random_extents(file_bytes, kReadBytes, kReads, 1);
  const Layout layout = Layout::extents(extents);

  alternate(samples,
            {{"gpuio",
              [&](unsigned) {
                return timed([&](Sample& sample) {
                  throw_if_failed(io.read(file, layout, memory).value().wait());
                  sample.bytes = kReads * kReadBytes;
                  sample.operations = kReads;
                });
              }},
             {"pread, threads: 1", [&](unsigned) { return read_extents(path, extents, memory.data(), 1); }},
             {"pread, threads: 2", [&](unsigned) { return read_extents(path, extents, memory.data(), 2); }}},
            options.rounds_or(50));
}

}  // namespace gpuio::bench
