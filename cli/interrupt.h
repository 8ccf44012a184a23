// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace gpuio::cli {

/// Ctrl-C and SIGTERM as a flag and a descriptor. The first signal asks the command to cancel what it does and clean
/// up; the second ends the process at once. One per process, alive as long as commands run.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// The signal that came, 0 if none has. Thread-safe.
  [[nodiscard]] int signal() const noexcept;
  [[nodiscard]] bool raised() const noexcept { return signal() != 0; }

  /// Readable from the first signal on; for poll. -1 if the system has no descriptor left: then only the flag tells.
  [[nodiscard]] int fd() const noexcept;

  /// Throws gpuio::Error with `cancelled` once a signal came.
  void check() const;
};

}  // namespace gpuio::cli
