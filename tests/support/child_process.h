// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <utility>

#include "base/unique_fd.h"

namespace gpuio::tests {

/// A child of the test at the other end of a socket. Started before the test has any thread; `body` runs in it, with
/// its end, and returns its exit code.
class ChildProcess {
 public:
  explicit ChildProcess(const std::function<int(int socket)>& body) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    socket_.reset(ends[0]);
    base::UniqueFd theirs(ends[1]);
    process_ = ::fork();
    if (process_ < 0) std::abort();
    if (process_ != 0) return;
    socket_.reset();
    ::_exit(body(theirs.get()));
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() {
    socket_.reset();
    static_cast<void>(wait());
  }

  [[nodiscard]] int socket() const { return socket_.get(); }
  [[nodiscard]] pid_t id() const { return process_; }

  /// Its exit code; -1 if a signal ended it.
  int wait() {
    if (process_ <= 0) return code_;
    int status = 0;
    if (::waitpid(std::exchange(process_, 0), &status, 0) < 0) return -1;
    code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return code_;
  }

 private:
  base::UniqueFd socket_;
  pid_t process_ = 0;
  int code_ = -1;
};

/// One byte to the other end, for taking turns.
inline bool pass_turn(int socket) {
  const char turn = 't';
  return ::send(socket, &turn, 1, MSG_NOSIGNAL) == 1;
}
/// Blocks until the other end has passed the turn; false if it is gone.
inline bool await_turn(int socket) {
  char turn = 0;
  return ::recv(socket, &turn, 1, 0) == 1 && turn == 't';
}

}  // namespace gpuio::tests
