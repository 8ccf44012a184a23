// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include <sys/eventfd.h>
#include <unistd.h>

#include "gpuio/status.hpp"

namespace gpuio::cli {
namespace {

// A signal handler can reach nothing but globals; both are lock-free.
std::atomic<int> received_signal{0};
std::atomic<int> wake_descriptor{-1};
static_assert(std::atomic<int>::is_always_lock_free);

void on_signal(int signal) {
  if (received_signal.exchange(signal) != 0) ::_exit(128 + signal);
  const int saved_errno = errno;
  const std::uint64_t one = 1;
  // Nobody reads the counter down and it is far from full: the write can't block.
  [[maybe_unused]] const ssize_t written = ::write(wake_descriptor.load(), &one, sizeof one);
  errno = saved_errno;
}

void install(void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  // Blocking system calls of other threads go on; who has to wake up polls fd().
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

Interrupt::Interrupt() {
  received_signal.store(0);
  wake_descriptor.store(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  install(&on_signal);
}

Interrupt::~Interrupt() {
  install(SIG_DFL);
  const int descriptor = wake_descriptor.exchange(-1);
  if (descriptor >= 0) ::close(descriptor);
}

int Interrupt::signal() const noexcept { return received_signal.load(); }

int Interrupt::fd() const noexcept { return wake_descriptor.load(); }

void Interrupt::check() const {
  if (raised()) throw Error(Status(Code::cancelled, signal() == SIGINT ? "interrupted" : "terminated"));
}

}  // namespace gpuio::cli
