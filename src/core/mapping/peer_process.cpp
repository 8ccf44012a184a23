// SPDX-License-Identifier: Apache-2.0
#include "core/mapping/peer_process.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

namespace gpuio::core {
namespace {

#ifndef SYS_pidfd_open
constexpr long SYS_pidfd_open = 434;
#endif

/// Field 22 of /proc/<pid>/stat; the second one, a name in parentheses, may hold anything.
std::uint64_t start_of(const std::string& process) {
  std::ifstream file("/proc/" + process + "/stat");
  std::string line;
  if (!std::getline(file, line)) return 0;
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(line.substr(name_end + 1));
  std::string field;
  for (int number = 3; number <= 21; ++number) fields >> field;
  std::uint64_t started = 0;
  fields >> started;
  return started;
}

Status gone(pid_t pid) {
  return Status(Code::stale, "the process that shared this has exited")
      .with("process", static_cast<std::uint64_t>(pid))
      .with_scope(FailureScope::peer);
}

}  // namespace

std::uint64_t PeerProcess::own_start() { return start_of("self"); }

Result<PeerProcess> PeerProcess::find(pid_t pid, std::uint64_t started) {
  if (pid <= 0) return Status(Code::unsupported, "the peer's process has no number here: another pid namespace");
  PeerProcess found;
  found.pid_ = pid;
  found.descriptor_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!found.descriptor_) {
    if (errno == ESRCH) return gone(pid);
    return Status::from_errno(errno, "can't watch the peer's process").with("process", static_cast<std::uint64_t>(pid));
  }
  // The descriptor is of whoever has the number now, so its age is asked after it was taken.
  if (found.exited() || (started != 0 && start_of(std::to_string(pid)) != started)) return gone(pid);
  return found;
}

bool PeerProcess::exited() const {
  pollfd asked{descriptor_.get(), POLLIN, 0};
  return ::poll(&asked, 1, 0) == 1;
}

}  // namespace gpuio::core
