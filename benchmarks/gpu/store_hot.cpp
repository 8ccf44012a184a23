// SPDX-License-Identifier: Apache-2.0
// store.hot: GPU memory into tmpfs: a new file against KvikIO and against the kernel's making of its pages, an
// overwritten one against the link's limit.

#include <stdexcept>

#include <fcntl.h>

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

/// What the kernel takes to make a new file's pages, in the one way that does not also clear them.
Sample make_pages(const std::filesystem::path& path, std::uint64_t bytes) {
  std::filesystem::remove(path);
  const base::UniqueFd fd = open_or_throw(path, O_CREAT | O_RDWR);
  return timed([&](Sample& sample) {
    if (::fallocate(fd.get(), 0, 0, static_cast<off_t>(bytes)) != 0) throw std::runtime_error("fallocate failed");
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
  alternate(samples,
            {{"gpuio, new file", write_new},
             kvikio,
             {"the new file's pages alone", [&](unsigned) { return make_pages(target, new_bytes); }}},
            options.rounds_or(4));
  static_cast<void>(write_new(0));
  alternate(samples,
            {{"gpuio, overwritten", [&](unsigned) { return write_file(rig, target, rig.file().size()); }},
             rig.way("pinned copies back", "copy_out")},
            options.rounds_or(6));
  std::filesystem::remove(target);
  rig.add_budgets(samples);
}

}  // namespace gpuio::bench
