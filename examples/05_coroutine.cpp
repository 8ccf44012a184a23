// SPDX-License-Identifier: Apache-2.0
// Two loads as coroutines in the caller's own loop: no thread is started, the library works inside poll().
#include <poll.h>

#include <coroutine>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>

#include "gpuio/gpuio.hpp"

namespace {

// The smallest coroutine type there is: starts at once, nobody awaits it; how many still run is counted.
struct Task {
  static inline int running = 0;

  struct promise_type {
    Task get_return_object() { return ++running, Task(); }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() { --running; }
    void unhandled_exception() { std::terminate(); }
  };
};

std::string make_sample() {
  const std::string path = std::filesystem::temp_directory_path() / "gpuio_example_05.bin";
  std::ofstream(path, std::ios::binary) << std::string(32 << 20, 'x');
  return path;
}

// Reads the second half only when the first has arrived.
Task load_halves(const gpuio::Context& io, const gpuio::Store& file, const gpuio::Buffer& memory, const char* name) {
  const std::uint64_t half = file.size() / 2;
  for (const std::uint64_t offset : {std::uint64_t{0}, half}) {
    const gpuio::Request read =
        io.read(file, gpuio::Layout::contiguous(offset, half), memory.slice(offset, half).value()).value();
    const gpuio::Status status = co_await read;
    std::printf("%s: %llu bytes at %llu: %s\n", name, static_cast<unsigned long long>(half),
                static_cast<unsigned long long>(offset), status.to_string().c_str());
  }
}

}  // namespace

int main() try {
  const std::string path = make_sample();
  gpuio::ContextOptions options;
  options.drive = gpuio::Drive::caller;
  const gpuio::Context io = gpuio::Context::create(options).value();
  const gpuio::Store file = io.open(path).value();
  const gpuio::Buffer one = io.device("host").value().allocate(file.size()).value();
  const gpuio::Buffer two = io.device("host").value().allocate(file.size()).value();

  load_halves(io, file, one, "one");
  load_halves(io, file, two, "two");
  while (Task::running > 0) {
    if (io.poll()) continue;
    pollfd wake{io.wake_fd(), POLLIN, 0};  // Your loop's other descriptors would stand beside it.
    ::poll(&wake, 1, 100);
  }
  std::filesystem::remove(path);
} catch (const gpuio::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
