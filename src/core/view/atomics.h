// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/memory/region.h"
#include "gpuio/memory.hpp"

namespace gpuio::core {

/// Atomic operations as they are asked about.
struct AtomicsAsked {
  Processor by = Processor::host;
  dev::Scope scope = dev::Scope::process;
  unsigned bits = 64;
};

/// Answers Slice::atomics for resolved memory.
[[nodiscard]] Capability atomics_on(const Resolved& memory, const AtomicsAsked& asked);

}  // namespace gpuio::core
