// SPDX-License-Identifier: Apache-2.0
// load.pagecache: a file of a real file system, in the page cache, into GPU memory.

#include "gpu/gpu_rig.h"
#include "gpu/measurements.h"
#include "harness/files.h"

namespace gpuio::bench {

void load_pagecache(const Options& options, Samples& samples) {
  const std::filesystem::path path = options.disk / "model.safetensors";
  make_model_file(path, options.file_bytes_or(kModelBytes));
  const HotFile hot(path);
  GpuRig rig(options, path);
  static_cast<void>(rig.load());
  rig.verify();
  alternate(samples,
            {{"gpuio", [&](unsigned) { return rig.load(); }},
             rig.way("pinned copies", "copy_in"),
             rig.way("pread, 8 threads x 8 MiB", "pread 8 8388608"),
             rig.way("mmap+memcpy, 8 threads x 8 MiB", "mmap 8 8388608")},
            options.rounds_or(10));
  rig.add_budgets(samples);
}

}  // namespace gpuio::bench
