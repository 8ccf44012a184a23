// SPDX-License-Identifier: Apache-2.0
// store.hot: GPU memory into tmpfs: a new file against KvikIO, an overwritten one against the link's limit.

#include "gpu/gpu_rig.h"
#include "gpu/measurements.h"
#include "harness/files.h"

namespace gpuio::bench {
namespace {

/// As much as a new file of it takes KvikIO two seconds.
constexpr std::uint64_t kNewBytes = std::uint64_t{4} << 30;

Sample write_file(const GpuRig& rig, const std::filesystem::path& path, std::uint64_t bytes) {
  Store file;  // Closed after the clock has stopped, as the peer's is.
  return timed([&](Sample& sample) {
    file = rig.io().open(path.string(), {.mode = OpenMode::create}).value();
    throw_if_failed(rig.io().write(file, rig.memory().slice(0, bytes).value()).value().wait());
    sample.bytes = bytes;
    sample.operations = 1;
  });
}

}  // namespace

void store_hot(const Options& options, Samples& samples) {
  const std::filesystem::path source = options.tmpfs / "model.safetensors";
  const std::filesystem::path target = options.tmpfs / "written.bin";
  make_model_file(source, options.file_bytes_or(kModelBytes));
  GpuRig rig(options, source);
  static_cast<void>(rig.load());

  const std::uint64_t new_bytes = std::min(kNewBytes, rig.file().size());
  const Contender kvikio = rig.kvikio_at_its_best(samples, "write", target.string() + " " + std::to_string(new_bytes));
  const auto write_new = [&](unsigned) {
    std::filesystem::remove(target);
    return write_file(rig, target, new_bytes);
  };
  alternate(samples, {{"gpuio, new file", write_new}, kvikio}, options.rounds_or(4));
  alternate(samples,
            {{"gpuio, overwritten", [&](unsigned) { return write_file(rig, target, rig.file().size()); }},
             rig.way("pinned copies back", "copy_out")},
            options.rounds_or(6));
  std::filesystem::remove(target);
  rig.add_budgets(samples);
}

}  // namespace gpuio::bench
