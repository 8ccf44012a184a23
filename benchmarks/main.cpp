// SPDX-License-Identifier: Apache-2.0
// Runs measurements and prints their raw samples, a JSON object a line. benchmarks/run calls it and keeps them.

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>

#include <CLI/CLI.hpp>

#include "harness/measurement.h"

namespace gpuio::bench {
namespace {

int list() {
  for (const Measurement& measurement : measurements()) {
    std::cout << measurement.id << (measurement.needs_gpu ? " gpu" : " cpu") << '\n';
  }
  return 0;
}

int run(const std::string& id, const Options& options) {
  const auto found = std::ranges::find(measurements(), id, &Measurement::id);
  if (found == measurements().end()) {
    std::cerr << id << ": no such measurement; --list names them\n";
    return 2;
  }
  try {
    Samples samples(std::cout);
    found->run(options, samples);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << id << ": " << error.what() << '\n';
    return 1;
  }
}

}  // namespace
}  // namespace gpuio::bench

int main(int argc, char** argv) {
  using gpuio::bench::Options;
  CLI::App app("Measures gpuio: prints raw samples, a JSON object a line.", "gpuio_bench");
  std::string id;
  bool list = false;
  Options options{.disk = std::filesystem::temp_directory_path() / "gpuio_bench",
                  .tmpfs = "/dev/shm/gpuio_bench",
                  .programs = std::filesystem::path(argv[0]).parent_path(),
                  .peers = "benchmarks/peers"};
  app.add_option("id", id, "The measurement, as in --list");
  app.add_flag("--list", list, "Name the measurements and what they need");
  app.add_option("--disk", options.disk, "Folder on a real file system for test files")->capture_default_str();
  app.add_option("--tmpfs", options.tmpfs, "Folder in memory for test files")->capture_default_str();
  app.add_option("--programs", options.programs, "Folder of the peers that are compiled")->capture_default_str();
  app.add_option("--peers", options.peers, "Folder of the peers in Python")->capture_default_str();
  app.add_option("--python", options.python, "Python that has the peers' packages")->capture_default_str();
  app.add_option("--device", options.device, "Device of mem.gpu.*: `host` tries them without a GPU, and without peers")
      ->capture_default_str();
  app.add_option("--rounds", options.rounds, "Rounds of A B B A; 0: as many as the measurement wants");
  app.add_option("--slice-seconds", options.slice_seconds, "Length of slices that run for a time")
      ->capture_default_str();
  app.add_option("--file-bytes", options.file_bytes,
                 "Size of test files and tables; 0: as large as the measurement wants");
  CLI11_PARSE(app, argc, argv);
  if (list) return gpuio::bench::list();
  return gpuio::bench::run(id, options);
}
