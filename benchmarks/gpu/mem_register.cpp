// SPDX-License-Identifier: Apache-2.0
// mem.gpu.register: memory that the GPU's copy engines and kernels may use - allocated, touched, registered - against
// cudaHostAlloc of the same size.

#include <fmt/core.h>

#include "gpu/measurements.h"
#include "gpu/mem_rig.h"

namespace gpuio::bench {

void mem_gpu_register(const Options& options, Samples& samples) {
  const std::uint64_t bytes = options.file_bytes_or(std::uint64_t{8} << 30);
  MemRig rig(options, samples, bytes);
  if (options.file_bytes == 0) touch_the_machines_memory();
  std::vector<Contender> contenders{{"gpuio", [&](unsigned) {
                                       Buffer memory;
                                       return timed([&](Sample& sample) {
                                         memory = rig.gpu().allocate(bytes, {.kind = RegionKind::pinned}).value();
                                         sample.bytes = bytes;
                                         sample.operations = 1;
                                       });
                                     }}};
  rig.join(contenders, "cudaHostAlloc",
           {rig.way("cudaHostAlloc", [&](unsigned) { return fmt::format("host_alloc {}", bytes); })});
  alternate(samples, contenders, options.rounds_or(3));
}

}  // namespace gpuio::bench
