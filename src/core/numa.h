// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "gpuio/status.hpp"

/// Where host memory lies on machines with several memory nodes. On machines with one, or where a sandbox forbids
/// asking, everything is node 0 and binding it succeeds without effect. Thread safety: all functions, any thread.
namespace gpuio::core::numa {

/// True if memory can be bound to `node`.
[[nodiscard]] bool exists(int node) noexcept;

/// `preferred` if there is such a node (what a device reports as its own), else the calling thread's.
[[nodiscard]] int nearest(int preferred) noexcept;

/// Pages of [base, base + bytes) that are touched from now on come from `node`, or from elsewhere where it is full.
/// `base` is page-aligned. Fails with `not_found` if there is no such node.
[[nodiscard]] Status bind(std::byte* base, std::size_t bytes, int node);

/// The node that holds the page of `address`, which it touches; -1 if nobody can tell.
[[nodiscard]] int node_of(const std::byte* address) noexcept;

}  // namespace gpuio::core::numa
