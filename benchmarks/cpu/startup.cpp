// SPDX-License-Identifier: Apache-2.0
// core.startup: from nothing to a Context, each time in a new process. mem.startup: the same to what the machine is.

#include <array>
#include <cerrno>
#include <functional>
#include <system_error>

#include <sys/wait.h>
#include <unistd.h>

#include "cpu/measurements.h"

namespace gpuio::bench {
namespace {

/// Milliseconds in a process that has done nothing yet. Forked, so no thread may run here.
double start_once(const std::function<void()>& start) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  const pid_t pid = ::fork();
  if (pid == 0) {
    const Stopwatch watch;
    start();
    const double ready_ms = watch.seconds() * 1e3;
    const bool told = ::write(ends[1], &ready_ms, sizeof ready_ms) == sizeof ready_ms;
    ::_exit(told ? 0 : 1);
  }
  ::close(ends[1]);
  double ready_ms = 0;
  const bool heard = pid > 0 && ::read(ends[0], &ready_ms, sizeof ready_ms) == sizeof ready_ms;
  ::close(ends[0]);
  if (pid > 0) ::waitpid(pid, nullptr, 0);
  if (!heard) throw std::runtime_error("a new process could not start");
  return ready_ms;
}

}  // namespace

void startup(const Options& options, Samples& samples) {
  for (unsigned run = 0; run < options.rounds_or(101); ++run) {
    samples.add("gpuio", run, {{"ready_ms", start_once([] { const Context io = make_context(); })}});
  }
}

void memory_startup(const Options& options, Samples& samples) {
  for (unsigned run = 0; run < options.rounds_or(51); ++run) {
    samples.add("topology", run,
                {{"ready_ms", start_once([] { static_cast<void>(make_context().topology().value()); })}});
    samples.add("doctor", run, {{"ready_ms", start_once([] { static_cast<void>(make_context().diagnose()); })}});
  }
}

}  // namespace gpuio::bench
