// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/unique_fd.h"
#include "gpuio/result.hpp"

namespace gpuio::core {

/// Another process, told from one that has its number later. Movable. Thread safety: const members.
class PeerProcess {
 public:
  PeerProcess() = default;

  /// `started` is what that process's `own_start` said. Fails with `stale` if it has exited, `unsupported` where nobody
  /// can tell (another pid namespace, an old kernel).
  static Result<PeerProcess> find(pid_t pid, std::uint64_t started);

  /// When this process started, in a unit of the kernel's; 0 if unknown.
  [[nodiscard]] static std::uint64_t own_start();

  [[nodiscard]] bool exited() const;
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

 private:
  pid_t pid_ = 0;
  base::UniqueFd descriptor_;
};

}  // namespace gpuio::core
