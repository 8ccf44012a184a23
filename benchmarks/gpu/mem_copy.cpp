// SPDX-License-Identifier: Apache-2.0
// mem.gpu.copy: pinned memory into the GPU's and back as one Request, against the best cudaMemcpyAsync.

#include <cstring>
#include <stdexcept>
#include <utility>

#include <fmt/core.h>

#include "gpu/measurements.h"
#include "gpu/mem_rig.h"

namespace gpuio::bench {
namespace {

constexpr std::uint64_t kBytes = std::uint64_t{4} << 30;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

std::vector<Contender> copies_by_hand(MemRig& rig, std::string_view direction, std::uint64_t bytes) {
  std::vector<Contender> forms;
  for (const auto& [piece_bytes, streams] : {std::pair{bytes, 1U}, {256 * kMiB, 1U}, {64 * kMiB, 2U}, {8 * kMiB, 2U}}) {
    forms.push_back(rig.way(
        fmt::format("cudaMemcpyAsync, {}, pieces of {} MiB, streams: {}", direction, piece_bytes / kMiB, streams),
        [=, direction = std::string(direction)](unsigned) {
          return fmt::format("copy {} {} {} {}", direction, bytes, piece_bytes, streams);
        }));
  }
  return forms;
}

void measure(MemRig& rig, const Buffer& from, const Buffer& to, std::string_view direction, Samples& samples,
             unsigned rounds) {
  std::vector<Contender> contenders{{fmt::format("gpuio, {}", direction), [&](unsigned) {
                                       return timed([&](Sample& sample) {
                                         throw_if_failed(rig.io().copy(from, to).value().wait());
                                         sample.bytes = to.size();
                                         sample.operations = 1;
                                       });
                                     }}};
  rig.join(contenders, fmt::format("cudaMemcpyAsync, {}", direction), copies_by_hand(rig, direction, to.size()));
  alternate(samples, contenders, rounds);
}

}  // namespace

void mem_gpu_copy(const Options& options, Samples& samples) {
  const std::uint64_t bytes = options.file_bytes_or(kBytes);
  MemRig rig(options, samples, bytes);
  const Buffer host = rig.gpu().allocate(bytes, {.kind = RegionKind::pinned}).value();
  const Buffer back = rig.gpu().allocate(bytes, {.kind = RegionKind::pinned}).value();
  const Buffer device = rig.gpu().allocate(bytes).value();
  auto* words = reinterpret_cast<std::uint64_t*>(host.data());
  for (std::uint64_t i = 0; i < bytes / 8; ++i) words[i] = (i + 1) * 0x9e3779b97f4a7c15U;
  measure(rig, host, device, "in", samples, options.rounds_or(10));
  measure(rig, device, back, "out", samples, options.rounds_or(10));
  if (std::memcmp(host.data(), back.data(), bytes) != 0) throw std::runtime_error("the copies changed bytes");
}

}  // namespace gpuio::bench
