// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gpuio/cost_model.hpp"

/// What machine this is, by the kernel's files: cheap enough for every Context that has a model to compare. Thread
/// safety: all functions, any thread.
namespace gpuio::core {

/// Reads below `root` ("" but for tests). `cores`: what this process may keep busy. What can't be read is left empty.
[[nodiscard]] MachineFingerprint read_fingerprint(const std::string& root, unsigned cores);

/// Of this machine and process.
[[nodiscard]] MachineFingerprint this_machine();

/// What tells the two apart, the first of it: "4 cores here, 16 in the model". Empty: the model holds here.
[[nodiscard]] std::string difference(const MachineFingerprint& here, const MachineFingerprint& model);

/// A node that this process may have memory of.
struct UsableNode {
  int node = 0;
  unsigned cores = 0;  ///< Near it, that this process may use; 0: memory without processors.
  std::uint64_t free_bytes = 0;
};

/// By id; at least one.
[[nodiscard]] std::vector<UsableNode> usable_nodes();

/// The node that holds the page of `address`; -1 if nobody can tell.
[[nodiscard]] int node_holding(const std::byte* address) noexcept;

}  // namespace gpuio::core
