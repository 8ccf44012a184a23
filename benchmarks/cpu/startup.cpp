// SPDX-License-Identifier: Apache-2.0
// core.startup: from nothing to a Context, each time in a new process.

#include <array>
#include <cerrno>
#include <system_error>

#include <sys/wait.h>
#include <unistd.h>

#include "cpu/measurements.h"

namespace gpuio::bench {
namespace {

/// Milliseconds in a process that has done nothing yet. Forked, so no thread may run here.
double start_once() {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  const pid_t pid = ::fork();
  if (pid == 0) {
    const Stopwatch watch;
    [[maybe_unused]] const Context io = make_context();
    const double ready_ms = watch.seconds() * 1e3;
    const bool told = ::write(ends[1], &ready_ms, sizeof ready_ms) == sizeof ready_ms;
    ::_exit(told ? 0 : 1);
  }
  ::close(ends[1]);
  double ready_ms = 0;
  const bool heard = pid > 0 && ::read(ends[0], &ready_ms, sizeof ready_ms) == sizeof ready_ms;
  ::close(ends[0]);
  if (pid > 0) ::waitpid(pid, nullptr, 0);
  if (!heard) throw std::runtime_error("a Context could not be made in a new process");
  return ready_ms;
}

}  // namespace

void startup(const Options& options, Samples& samples) {
  for (unsigned run = 0; run < options.rounds_or(101); ++run) samples.add("gpuio", run, {{"ready_ms", start_once()}});
}

}  // namespace gpuio::bench
