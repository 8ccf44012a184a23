// SPDX-License-Identifier: Apache-2.0
// local.seq_direct: 256 KiB sequential O_DIRECT reads, 32 under way, against fio with ordinary and with huge pages.

#include "cpu/bulk_reader.h"
#include "cpu/measurements.h"
#include "harness/alternate.h"
#include "harness/files.h"
#include "harness/fio.h"
#include "harness/huge_pages.h"

namespace gpuio::bench {

void seq_direct(const Options& options, Samples& samples) {
  constexpr std::uint64_t kBlockBytes = std::uint64_t{256} << 10;
  constexpr unsigned kDepth = 32;
  const std::uint64_t file_bytes = options.file_bytes_or(std::uint64_t{4} << 30);
  const std::filesystem::path path = options.disk / "sequential.bin";
  make_random_file(path, file_bytes);
  require_direct(path);
  evict(path);

  const Context io = make_context(
      {{"local.queue_depth_max", std::to_string(kDepth)}, {"local.read_bytes_max", std::to_string(kBlockBytes)}});
  const Store file = io.open(path.string(), {.cache = CacheUse::direct}).value();
  BulkReader reader(io, file);

  // All contenders of a pair begin at the same place, each pair somewhere else.
  const auto offset_of = [&](unsigned pair) { return pair % 16 * (file_bytes / 16); };
  const auto by_fio = [&](bool huge_pages) {
    return [&, huge_pages](unsigned pair) {
      return fio({.file = path,
                  .random = false,
                  .block_bytes = kBlockBytes,
                  .depth = kDepth,
                  .offset = offset_of(pair),
                  .seconds = options.slice_seconds,
                  .seed = 1,
                  .huge_pages = huge_pages});
    };
  };
  std::vector<Contender> contenders{
      {"gpuio", [&](unsigned pair) { return reader.run(offset_of(pair), options.slice_seconds); }},
      {"fio", by_fio(false)}};
  const HugePages huge_pages(kBlockBytes * kDepth * 2);
  if (huge_pages.available()) contenders.push_back({"fio, huge pages", by_fio(true)});
  alternate(samples, contenders, options.rounds_or(50));
}

}  // namespace gpuio::bench
