// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

/// Where host memory lies on machines with several memory nodes. On machines with one, or where a sandbox forbids
/// asking, everything is node 0. Thread safety: all functions, any thread.
namespace gpuio::core::numa {

/// True if memory can be bound to `node`.
[[nodiscard]] bool exists(int node) noexcept;

/// `preferred` if there is such a node (what a device reports as its own), else the calling thread's.
[[nodiscard]] int nearest(int preferred) noexcept;

/// Processors that the calling thread may use (its affinity, cpusets), by the node that they are on.
struct Processors {
  int node = 0;
  unsigned count = 0;
};

/// How many the calling thread may use on `node`; 0 where the kernel does not tell.
[[nodiscard]] unsigned processor_count(int node);

/// Nodes with processors that the calling thread may use; empty where there is but one.
[[nodiscard]] std::vector<Processors> processors();

/// Binds the calling thread to those of its processors that are on `node`. Where that is refused, or leaves none, it
/// runs as before: slower, not wrong.
void run_on(int node) noexcept;

}  // namespace gpuio::core::numa
