// SPDX-License-Identifier: Apache-2.0
// load.hot: a file in tmpfs into GPU memory, against the link's limit, loops by hand and other loaders.

#include "gpu/gpu_rig.h"
#include "gpu/measurements.h"
#include "harness/files.h"

namespace gpuio::bench {

void load_hot(const Options& options, Samples& samples) {
  const std::filesystem::path path = options.tmpfs / "model.safetensors";
  make_model_file(path, options.file_bytes_or(kModelBytes));
  GpuRig rig(options, path);
  static_cast<void>(rig.load());
  rig.verify();

  const Contender kvikio = rig.kvikio_at_its_best(samples, "read", "");
  alternate(samples,
            {{"gpuio", [&](unsigned) { return rig.load(); }},
             rig.way("pinned copies", "copy_in"),
             rig.way("pread, 8 threads x 2 MiB", "pread 8 2097152"),
             rig.way("pread, 8 threads x 8 MiB", "pread 8 8388608"),
             rig.way("mmap+memcpy, 8 threads x 2 MiB", "mmap 8 2097152"),
             rig.way("mmap+memcpy, 8 threads x 8 MiB", "mmap 8 8388608"),
             kvikio,
             rig.package("KvikIO as shipped", "kvikio_read 0 0"),
             rig.package("InstantTensor", "instanttensor")},
            options.rounds_or(8));
  rig.add_budgets(samples);
}

}  // namespace gpuio::bench
