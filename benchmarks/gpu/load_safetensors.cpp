// SPDX-License-Identifier: Apache-2.0
// load.safetensors: the file as 1,000 tensors, from opening it to the last byte, against loading it as bytes.

#include "gpu/gpu_rig.h"
#include "gpu/measurements.h"
#include "gpuio/safetensors.hpp"
#include "harness/files.h"

namespace gpuio::bench {

void load_safetensors(const Options& options, Samples& samples) {
  const std::filesystem::path path = options.tmpfs / "model.safetensors";
  make_model_file(path, options.file_bytes_or(kModelBytes));
  GpuRig rig(options, path);
  const auto load_tensors = [&](unsigned) {
    safetensors::Loaded loaded;  // Lives until the clock has stopped: freeing is not loading.
    return timed([&](Sample& sample) {
      loaded = safetensors::Model::open(rig.io(), path.string()).value().load(rig.gpu()).value();
      throw_if_failed(loaded.request.wait());
      sample.bytes = rig.file().size();
      sample.operations = loaded.tensors.size();
    });
  };
  alternate(samples,
            {{"gpuio, tensors", load_tensors},
             {"gpuio, bytes", [&](unsigned) { return rig.load(); }},
             rig.way("pinned copies", "copy_in"),
             rig.package("safetensors", "safetensors")},
            options.rounds_or(8));
  rig.add_budgets(samples);
}

}  // namespace gpuio::bench
