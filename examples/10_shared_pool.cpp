// SPDX-License-Identifier: Apache-2.0
// A pool in memory that two processes map: one publishes named objects, the other finds and reads them.
// URI names the memory: a dax device, a file, or memory with a name, which is the default and is removed at the end.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "gpuio/gpuio.hpp"

namespace {

using namespace std::chrono_literals;

constexpr int kObjects = 1000;
constexpr std::uint64_t kObjectBytes = 4096;
constexpr std::uint64_t kPoolBytes = 64U << 20U;
constexpr auto kPatience = 20s;

std::string name_of(int object) { return "block/" + std::to_string(object); }
std::vector<std::byte> bytes_of(int object) {
  return std::vector<std::byte>(kObjectBytes, static_cast<std::byte>(object));
}

/// The memory behind `uri`, as every process sees it.
gpuio::Buffer map(const gpuio::Context& io, const std::string& uri) {
  const gpuio::Store store = io.open(uri, {.mode = gpuio::OpenMode::create, .size_bytes = kPoolBytes}).value();
  return io.map(store, {.access = gpuio::MapAccess::read_write}).value();
}

/// Asks until what is asked for is there. Looking into a pool is cheap: it makes no system call.
template <class Ask>
auto wait_for(Ask ask) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  auto answer = ask();
  while (!answer && answer.error().code() == gpuio::Code::not_found && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(1ms);
    answer = ask();
  }
  return std::move(answer).value();
}

void publish(const gpuio::Pool& pool) {
  gpuio::PoolMember member = pool.join().value();
  for (int i = 0; i < kObjects; ++i) gpuio::throw_if_failed(member.publish(name_of(i), bytes_of(i)));
}

/// The other process: reads every object as soon as it is there, and says how many came whole.
int read_all(const std::string& uri) {
  const gpuio::Context io = gpuio::Context::create().value();
  const gpuio::Buffer memory = map(io, uri);
  const gpuio::Pool pool = wait_for([&] { return gpuio::Pool::open(memory); });
  int whole = 0;
  for (int i = 0; i < kObjects; ++i) {
    const gpuio::PoolObject object = wait_for([&] { return pool.find(name_of(i)); });
    std::vector<std::byte> bytes(object.size());
    gpuio::throw_if_failed(object.read(bytes));  // proven by sequence and checksum
    if (bytes == bytes_of(i)) ++whole;
  }
  std::printf("process %d read %d objects that process %d published\n", ::getpid(), whole, ::getppid());
  return whole == kObjects ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string name = "mem://dram?name=gpuio_example_10_" + std::to_string(::getpid());
  const std::string uri = argc > 1 ? argv[1] : name;

  // Before there is a Context: its threads would not be in the new process.
  const pid_t reader = ::fork();
  if (reader == 0) return read_all(uri);

  const gpuio::Context io = gpuio::Context::create().value();
  const gpuio::Buffer memory = map(io, argc > 1 ? uri : uri + "&temporary=yes");
  publish(gpuio::Pool::create(memory, {.members_max = 2}).value());

  int status = 0;
  return ::waitpid(reader, &status, 0) == reader && status == 0 ? 0 : 1;
} catch (const gpuio::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
