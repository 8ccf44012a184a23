// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>
#include <unistd.h>

#include "cli/app.h"

namespace {

/// Sharded models and data sets have more files than the usual soft limit of 1024 lets a process open.
void raise_open_files_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace gpuio::cli;
  raise_open_files_limit();
  const Interrupt interrupt;
  const Shell shell{.out = Terminal::of(STDOUT_FILENO), .err = Terminal::of(STDERR_FILENO), .interrupt = interrupt};
  return static_cast<int>(run_app(argc, argv, shell));
}
