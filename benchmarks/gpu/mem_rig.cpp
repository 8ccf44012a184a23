// SPDX-License-Identifier: Apache-2.0
#include "gpu/mem_rig.h"

#include <algorithm>
#include <exception>
#include <fstream>
#include <iostream>
#include <limits>
#include <utility>

#include "core/memory/host_pages.h"
#include "core/placement/numa.h"

namespace gpuio::bench {

MemRig::MemRig(const Options& options, Samples& samples, std::uint64_t table_bytes)
    : samples_(samples),
      ways_program_({(options.programs / "gpu_mem_ways").string(), std::to_string(table_bytes)}),
      torch_program_({options.python, (options.peers / "mem_torch.py").string(), std::to_string(table_bytes)}),
      io_(make_context()),
      gpu_(io_.device(options.device).value()) {}

Contender MemRig::played_by(std::unique_ptr<Peer>& peer, const Arguments& program, std::string name,
                            RequestOf request) {
  return {std::move(name), [&peer, &program, request = std::move(request)](unsigned pair) {
            if (peer == nullptr) peer = std::make_unique<Peer>(program);
            return peer->sample(request(pair));
          }};
}

Contender MemRig::way(std::string name, RequestOf request) {
  return played_by(ways_, ways_program_, std::move(name), std::move(request));
}

Contender MemRig::torch(std::string name, RequestOf request) {
  return played_by(torch_, torch_program_, std::move(name), std::move(request));
}

void MemRig::join(std::vector<Contender>& contenders, const std::string& name, const std::vector<Contender>& forms) {
  try {
    if (forms.size() > 1) {
      contenders.push_back(best_of(samples_, forms));
    } else {
      samples_.add_trial(name, forms.front().run(0));
      contenders.push_back(forms.front());
    }
    contenders.back().name = name;
  } catch (const std::exception& error) {
    std::cerr << name << ": takes no part: " << error.what() << '\n';
  }
}

void touch_the_machines_memory() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  std::uint64_t available_kib = 0;
  while (file >> key && key != "MemAvailable:") file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  file >> available_kib;
  static_cast<void>(core::HostPages::map(available_kib * 1024 / 2, core::numa::nearest(-1)));
}

}  // namespace gpuio::bench
