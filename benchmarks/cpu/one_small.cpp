// SPDX-License-Identifier: Apache-2.0
// local.one_small: one blocking read of 4 KiB in the page cache, against pread.

#include <fcntl.h>
#include <unistd.h>

#include "cpu/measurements.h"
#include "harness/alternate.h"
#include "harness/files.h"

namespace gpuio::bench {

void one_small(const Options& options, Samples& samples) {
  constexpr std::uint64_t kReadBytes = 4096;
  constexpr std::uint64_t kReads = 20'000;
  const std::uint64_t file_bytes = options.file_bytes_or(std::uint64_t{1} << 30);
  const std::filesystem::path path = options.disk / "hot.bin";
  make_random_file(path, file_bytes);
  const HotFile hot(path);

  const Context io = make_context();
  const Store file = io.open(path.string()).value();
  const Buffer memory = io.device("host").value().allocate(kReadBytes).value();
  const base::UniqueFd fd = open_or_throw(path, O_RDONLY);
  const std::vector<Extent> extents = random_extents(file_bytes, kReadBytes, kReads, 1);

  alternate(samples,
            {{"gpuio",
              [&](unsigned) {
                return timed([&](Sample& sample) {
                  for (const Extent& extent : extents) {
                    const Layout layout = Layout::contiguous(extent.offset, extent.length);
                    throw_if_failed(io.read(file, layout, memory).value().wait());
                  }
                  sample.operations = kReads;
                });
              }},
             {"pread",
              [&](unsigned) {
                return timed([&](Sample& sample) {
                  for (const Extent& extent : extents) {
                    const auto at = static_cast<off_t>(extent.offset);
                    if (::pread(fd.get(), memory.data(), kReadBytes, at) == kReadBytes) ++sample.operations;
                  }
                });
              }}},
            options.rounds_or(50));
}

}  // namespace gpuio::bench
