// SPDX-License-Identifier: Apache-2.0
// Host memory on a node of one's choice: asked for, looked at page by page, and moved while its address stays.
#include <cstdio>
#include <cstring>

#include "gpuio/gpuio.hpp"

namespace {

constexpr std::uint64_t kBytes = 64U << 20U;

void print_where(const char* when, const gpuio::Buffer& memory) {
  const gpuio::PlacementReport report = memory.slice(0, memory.size()).value().placement().value();
  std::printf("%s:", when);
  for (const gpuio::NodeBytes& part : report.nodes) {
    std::printf(" %llu MiB on node %d", static_cast<unsigned long long>(part.bytes >> 20U), part.node);
  }
  std::printf("\n");
}

}  // namespace

int main() try {
  const gpuio::Topology machine = gpuio::read_topology().value();
  const int first = machine.nodes.front().id;
  const int last = machine.nodes.back().id;  // The same on a machine of one node; a CXL expander comes last.
  std::printf("nodes %d and %d, at distance %u\n", first, last, machine.distance(first, last));

  const gpuio::Context io = gpuio::Context::create().value();
  const gpuio::Device host = io.device("host").value();
  const gpuio::Buffer memory =
      host.allocate(kBytes, {.kind = gpuio::RegionKind::device, .placement = gpuio::Placement::bind({first})}).value();
  std::memset(memory.data(), 7, memory.size());
  print_where("bound to the first", memory);

  const gpuio::Slice all = memory.slice(0, memory.size()).value();
  const gpuio::MigrationReport moved = all.migrate(gpuio::Placement::bind({last})).value();
  print_where("moved to the last", memory);
  std::printf("%llu pages moved, %llu were there; %.2f GB/s\n", static_cast<unsigned long long>(moved.moved_pages),
              static_cast<unsigned long long>(moved.placed_pages), moved.bytes_per_second() / 1e9);

  const bool there = all.placement().value().on(last) == kBytes;
  return there && memory.data()[kBytes / 2] == std::byte{7} ? 0 : 1;
} catch (const gpuio::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
