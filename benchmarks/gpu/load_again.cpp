// SPDX-License-Identifier: Apache-2.0
// load.again: the same file a second time, its pages left registered.

#include "gpu/gpu_rig.h"
#include "gpu/measurements.h"
#include "harness/files.h"

namespace gpuio::bench {

void load_again(const Options& options, Samples& samples) {
  const std::filesystem::path path = options.tmpfs / "model.safetensors";
  make_model_file(path, options.file_bytes_or(kModelBytes));
  GpuRig rig(options, path, {{"memory.registered_budget_bytes", "16GiB"}});
  samples.add("first load", 0, rig.load());
  rig.verify();

  alternate(samples, {{"gpuio", [&](unsigned) { return rig.load(); }}, rig.way("pinned copies", "copy_in")},
            options.rounds_or(10));
  rig.verify();
  rig.add_budgets(samples);
}

}  // namespace gpuio::bench
