// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "core/parts.h"
#include "support/fake_engine.h"
#include "support/far_device.h"

namespace gpuio::tests {

/// What the Contexts of these tests are made of: all of this build, accelerators that are none ("far:0", "far:1", and
/// "handle:0", whose memory other processes can have) and a fake engine, which is told.
core::Parts region_parts(std::shared_ptr<FarRules> rules, FakeEngine*& fake);

/// What a peer is asked for, a byte each.
enum class PeerGives : char { memory = 'm', accelerators_memory = 'a' };

/// The other process: shares a Region for each byte that comes, until nobody asks any more. Returns its exit code.
int serve_regions(int socket);

}  // namespace gpuio::tests
