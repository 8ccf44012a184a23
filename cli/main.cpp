// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "cli/app.h"

int main(int argc, char** argv) {
  using namespace gpuio::cli;
  const Interrupt interrupt;
  const Shell shell{.out = Terminal::of(STDOUT_FILENO), .err = Terminal::of(STDERR_FILENO), .interrupt = interrupt};
  return static_cast<int>(run_app(argc, argv, shell));
}
