// SPDX-License-Identifier: Apache-2.0
#include "core/executor/thread.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

#include "core/placement/numa.h"

namespace gpuio::core {
namespace {

unsigned cores_of_affinity() noexcept {
  // The kernel refuses a mask that is smaller than its own, so grow it until it fits.
  for (int cpus = CPU_SETSIZE; cpus <= (1 << 20); cpus *= 2) {
    const std::size_t bytes = CPU_ALLOC_SIZE(cpus);
    cpu_set_t* set = CPU_ALLOC(cpus);
    if (set == nullptr) break;
    const int failed = ::sched_getaffinity(0, bytes, set);
    const int count = failed == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (failed == 0) return static_cast<unsigned>(std::max(count, 1));
    if (errno != EINVAL) break;
  }
  return std::max(std::thread::hardware_concurrency(), 1U);
}

/// The least that this process's control group and those above it pay for; 0: no limit.
unsigned cores_of_control_groups() {
  std::ifstream groups("/proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line) && line.rfind("0::", 0) != 0) {
  }
  if (line.rfind("0::", 0) != 0) return 0;
  const std::filesystem::path root = "/sys/fs/cgroup";
  std::filesystem::path group = root / std::filesystem::path(line.substr(3)).relative_path();
  unsigned least = 0;
  while (true) {
    std::ifstream file(group / "cpu.max");
    std::string text;
    std::getline(file, text);
    const unsigned cores = cores_of_quota(text);
    if (cores != 0) least = least == 0 ? cores : std::min(least, cores);
    if (group == root || !group.has_relative_path()) return least;
    group = group.parent_path();
  }
}

/// Signals are for the application's threads. Those that a thread brings upon itself stay: blocked, they would kill it.
sigset_t signals_to_block() noexcept {
  sigset_t set;
  ::sigfillset(&set);
  for (const int own : {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF}) ::sigdelset(&set, own);
  return set;
}

}  // namespace

unsigned cores_of_quota(std::string_view cpu_max) noexcept {
  std::uint64_t quota = 0;
  std::uint64_t period = 0;
  const char* const begin = cpu_max.data();
  const char* const end = begin + cpu_max.size();
  const auto first = std::from_chars(begin, end, quota);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ' ') return 0;
  const auto second = std::from_chars(first.ptr + 1, end, period);
  if (second.ec != std::errc() || quota == 0 || period == 0) return 0;
  const std::uint64_t cores = quota / period + (quota % period == 0 ? 0 : 1);
  return static_cast<unsigned>(std::min<std::uint64_t>(cores, 1U << 20U));
}

unsigned usable_cores() noexcept {
  static const unsigned cores = [] {
    const unsigned allowed = cores_of_affinity();
    try {
      const unsigned paid = cores_of_control_groups();
      return paid == 0 ? allowed : std::min(allowed, paid);
    } catch (const std::exception&) {
      return allowed;
    }
  }();
  return cores;
}

Result<std::thread> start_thread(const std::string& name, int numa_node, std::function<void()> body) {
  // A new thread has its parent's mask from its first instruction on, so it is set here and put back.
  const sigset_t blocked = signals_to_block();
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  Result<std::thread> started = Status(Code::internal, "thread not started");
  try {
    started = std::thread([name, numa_node, run = std::move(body)] {
      ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
      numa::run_on(numa_node);
      run();
    });
  } catch (const std::system_error& error) {
    started = Status::from_errno(error.code().value(), "no thread").with("name", name);
  } catch (const std::bad_alloc&) {
    started = Status(Code::out_of_memory, "no memory for a thread").with("name", name);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

}  // namespace gpuio::core
