// SPDX-License-Identifier: Apache-2.0
// Loads a file into the memory of the first accelerator that works, else the host's, and says which way its bytes took.
// Usage: 01_load_file [FILE]
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "gpuio/gpuio.hpp"

namespace {

std::string make_sample() {
  const std::string path = std::filesystem::temp_directory_path() / "gpuio_example_01.bin";
  std::ofstream(path, std::ios::binary) << std::string(64 << 20, 'x');
  return path;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string path = argc > 1 ? argv[1] : make_sample();

  const gpuio::Context io = gpuio::Context::create().value();
  const gpuio::Device device = io.device("auto").value();
  const gpuio::Store file = io.open(path).value();
  const gpuio::Buffer memory = device.allocate(file.size()).value();

  const auto start = std::chrono::steady_clock::now();
  const gpuio::Request load = io.read(file, memory).value();  // Started; nothing has blocked.
  gpuio::throw_if_failed(load.wait());
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;

  std::printf("%.1f MB into %s in %.3f s: %.2f GB/s\n%s\n", static_cast<double>(file.size()) / 1e6,
              std::string(device.name()).c_str(), seconds.count(),
              static_cast<double>(file.size()) / 1e9 / seconds.count(), load.explain().c_str());
  if (argc < 2) std::filesystem::remove(path);
} catch (const gpuio::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
