// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "gpuio/result.hpp"

/// Threads of ours and the cores that they may use.
namespace gpuio::core {

/// Cores that this process may keep busy: its affinity mask, or what its control group's quota pays for, if that is
/// less.
[[nodiscard]] unsigned usable_cores() noexcept;

/// What the line in a control group's `cpu.max` pays for, rounded up: "150000 100000" is 2. 0: no limit, or no such
/// line.
[[nodiscard]] unsigned cores_of_quota(std::string_view cpu_max) noexcept;

/// Starts `body` on a thread called `name` (15 characters at most) that takes none of the process's signals, bound to
/// the cores of `numa_node` unless that is negative or has none we may use. Fails with `out_of_memory` or the system's
/// error.
[[nodiscard]] Result<std::thread> start_thread(const std::string& name, int numa_node, std::function<void()> body);

}  // namespace gpuio::core
