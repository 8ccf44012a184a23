// SPDX-License-Identifier: Apache-2.0
// Watches a load with callbacks, waits with a limit, and cancels another.
// Usage: 03_callbacks_and_progress [FILE]
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "gpuio/gpuio.hpp"

namespace {

std::string make_sample() {
  const std::string path = std::filesystem::temp_directory_path() / "gpuio_example_03.bin";
  std::ofstream(path, std::ios::binary) << std::string(128 << 20, 'x');
  return path;
}

void print_progress(const gpuio::Progress& progress) {
  std::printf("  %5.1f %% at %.2f GB/s%s\n",
              100.0 * static_cast<double>(progress.done_bytes) / static_cast<double>(progress.total_bytes),
              progress.bytes_per_second / 1e9, progress.finished ? ", finished" : "");
}

}  // namespace

int main(int argc, char** argv) try {
  using namespace std::chrono_literals;
  const std::string path = argc > 1 ? argv[1] : make_sample();
  const gpuio::Context io = gpuio::Context::create().value();
  const gpuio::Store file = io.open(path).value();
  const gpuio::Buffer memory = io.device("auto").value().allocate(file.size()).value();

  const gpuio::Request load = io.read(file, memory).value();
  load.on_progress(print_progress);  // At least every 100 ms, and once at the end; on a thread of the library.
  load.on_complete([](const gpuio::Status& status) { std::printf("  reported: %s\n", status.to_string().c_str()); });
  gpuio::Status status = load.wait(1ms);  // A limit for the wait, not for the load.
  if (status.code() == gpuio::Code::deadline_exceeded) status = load.wait();
  gpuio::throw_if_failed(status);

  const gpuio::Request unwanted = io.read(file, memory).value();
  unwanted.cancel();  // Returns once no byte of `memory` can move any more.
  std::printf("cancelled: %s\n", unwanted.status().to_string().c_str());
  if (argc < 2) std::filesystem::remove(path);
} catch (const gpuio::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
