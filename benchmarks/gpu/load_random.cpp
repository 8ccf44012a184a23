// SPDX-License-Identifier: Apache-2.0
// load.random_4k: 10,000 random 4 KiB reads of a file in tmpfs as one Request, against KvikIO's C++ interface.

#include <iostream>

#include <fmt/core.h>

#include "gpu/gpu_rig.h"
#include "gpu/measurements.h"
#include "harness/files.h"

namespace gpuio::bench {
namespace {

/// KvikIO's best over its calling threads: in C++ where peers/kvikio_random was built, else in Python, by name.
Contender kvikio_at_random(GpuRig& rig, Peer* in_cpp, Samples& samples) {
  std::vector<Contender> forms;
  for (const unsigned threads : {1U, 2U, 4U, 8U, 16U}) {
    const std::string request = fmt::format("kvikio_random {}", threads);
    if (in_cpp != nullptr) {
      forms.push_back({fmt::format("KvikIO in C++, threads: {}", threads),
                       [in_cpp, request](unsigned) { return in_cpp->sample(request); }});
    } else {
      forms.push_back(rig.package(fmt::format("KvikIO in Python, threads: {}", threads), request));
    }
  }
  Contender best = best_of(samples, forms);
  best.name = in_cpp != nullptr ? "KvikIO in C++" : "KvikIO in Python";
  return best;
}

}  // namespace

void load_random(const Options& options, Samples& samples) {
  constexpr std::uint64_t kReads = 10'000;
  constexpr std::uint64_t kReadBytes = 4096;
  const std::filesystem::path path = options.tmpfs / "model.safetensors";
  make_model_file(path, options.file_bytes_or(kModelBytes));
  GpuRig rig(options, path);
  const Slice packed = rig.memory().slice(0, kReads * kReadBytes).value();
  const auto read_many = [&](unsigned pair) {
    const Layout extents = Layout::extents(random_extents(rig.file().size(), kReadBytes, kReads, pair));
    return timed([&](Sample& sample) {
      throw_if_failed(rig.io().read(rig.file(), extents, packed).value().wait());
      sample.operations = kReads;
    });
  };

  const std::filesystem::path program = options.programs / "kvikio_random";
  std::unique_ptr<Peer> in_cpp;
  if (std::filesystem::exists(program)) in_cpp = std::make_unique<Peer>(Arguments{program.string(), path.string()});
  const Contender kvikio = kvikio_at_random(rig, in_cpp.get(), samples);
  alternate(samples, {{"gpuio", read_many}, kvikio}, options.rounds_or(25));
  rig.add_budgets(samples);
}

}  // namespace gpuio::bench
