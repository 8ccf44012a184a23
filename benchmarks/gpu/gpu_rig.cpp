// SPDX-License-Identifier: Apache-2.0
#include "gpu/gpu_rig.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/core.h>

#include "core/settings/settings_values.h"
#include "harness/files.h"

namespace gpuio::bench {

GpuRig::GpuRig(const Options& options, std::filesystem::path path, const std::map<std::string, std::string>& settings)
    : path_(std::move(path)),
      python_({options.python, (options.peers / "peers.py").string(), path_.string()}),
      io_(make_context(settings)),
      gpu_(io_.device("cuda:0").value()),
      file_(io_.open(path_.string()).value()),
      memory_(gpu_.allocate(file_.size()).value()),
      ways_({(options.programs / "gpu_ways").string(), path_.string()}) {}

Sample GpuRig::load() {
  return timed([&](Sample& sample) {
    throw_if_failed(io_.read(file_, memory_).value().wait());
    sample.bytes = file_.size();
    sample.operations = 1;
  });
}

Contender GpuRig::way(std::string name, std::string request) {
  return {std::move(name), [this, request = std::move(request)](unsigned) { return ways_.sample(request); }};
}

Contender GpuRig::package(std::string name, std::string request) {
  return {std::move(name), [this, request = std::move(request)](unsigned) {
            if (packages_ == nullptr) packages_ = std::make_unique<Peer>(python_);
            return packages_->sample(request);
          }};
}

Contender GpuRig::kvikio_at_its_best(Samples& samples, const std::string& operation, const std::string& rest) {
  std::vector<Contender> forms;
  for (const unsigned threads : {4U, 8U, 16U, 32U}) {
    for (const unsigned task_mib : {1U, 4U, 16U}) {
      forms.push_back(package(fmt::format("KvikIO {}, threads: {}, tasks: {} MiB", operation, threads, task_mib),
                              fmt::format("kvikio_{} {} {} {}", operation, threads, task_mib << 20U, rest)));
    }
  }
  forms.push_back(
      package(fmt::format("KvikIO {} as shipped", operation), fmt::format("kvikio_{} 0 0 {}", operation, rest)));
  Contender best = best_of(samples, forms);
  best.name = "KvikIO at its best";
  return best;
}

void GpuRig::verify() const {
  constexpr std::uint64_t kBytes = 65536;
  const Buffer copy = io_.device("host").value().allocate(kBytes).value();
  const base::UniqueFd fd = open_or_throw(path_, O_RDONLY);
  std::vector<std::byte> expected(kBytes);
  for (const Extent& extent : random_extents(file_.size(), kBytes, 100, 7)) {
    throw_if_failed(io_.copy(memory_.slice(extent.offset, kBytes).value(), copy).value().wait());
    const bool read = ::pread(fd.get(), expected.data(), kBytes, static_cast<off_t>(extent.offset)) == kBytes;
    if (!read || std::memcmp(copy.data(), expected.data(), kBytes) != 0) {
      throw std::runtime_error(fmt::format("wrong bytes in GPU memory at offset {}", extent.offset));
    }
  }
}

void GpuRig::add_budgets(Samples& samples) const {
  const Statistics statistics = io_.statistics();
  const Settings settings = io_.settings();
  const double pinned_budget = static_cast<double>(settings.values().memory_pinned_budget_bytes);
  const std::uint64_t registered_budget = settings.values().memory_registered_budget_bytes;
  const std::uint64_t over = statistics.registered_bytes - std::min(statistics.registered_bytes, registered_budget);
  const double pinned = static_cast<double>(statistics.pinned_bytes_max);
  samples.add("budgets", 0,
              {{"pinned_bytes_max", pinned},
               {"pinned_of_budget", pinned / pinned_budget},
               {"registered_bytes", static_cast<double>(statistics.registered_bytes)},
               {"registered_over_budget_bytes", static_cast<double>(over)}});
}

}  // namespace gpuio::bench
