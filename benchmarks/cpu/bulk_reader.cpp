// SPDX-License-Identifier: Apache-2.0
#include "cpu/bulk_reader.h"

namespace gpuio::bench {

BulkReader::BulkReader(const Context& io, const Store& file) : io_(io), file_(file) {
  const Device host = io.device("host").value();
  for (Buffer& window : windows_) window = host.allocate(kWindowBytes, {.kind = RegionKind::pinned}).value();
}

Sample BulkReader::run(std::uint64_t offset, double seconds) {
  return timed([&](Sample& sample) {
    const Stopwatch watch;
    const std::uint64_t windows = file_.size() / kWindowBytes;
    std::array<Request, 2> flying;
    for (std::uint64_t window = offset / kWindowBytes; watch.seconds() < seconds; ++window) {
      Request& request = flying[window % flying.size()];
      if (request) throw_if_failed(request.wait());
      const Layout extent = Layout::contiguous(window % windows * kWindowBytes, kWindowBytes);
      request = io_.read(file_, extent, windows_[window % windows_.size()], {.cache = CacheUse::direct}).value();
      sample.bytes += kWindowBytes;
      ++sample.operations;
    }
    for (const Request& request : flying) {
      if (request) throw_if_failed(request.wait());
    }
  });
}

}  // namespace gpuio::bench
