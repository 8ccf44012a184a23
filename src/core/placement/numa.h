// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Where host memory lies on machines with several memory nodes. On machines with one, or where a sandbox forbids
/// asking, everything is node 0. Thread safety: all functions, any thread.
namespace gpuio::core::numa {

/// True if memory can be bound to `node`.
[[nodiscard]] bool exists(int node) noexcept;

/// `preferred` if there is such a node (what a device reports as its own), else the calling thread's.
[[nodiscard]] int nearest(int preferred) noexcept;

}  // namespace gpuio::core::numa
