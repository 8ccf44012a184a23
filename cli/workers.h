// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>

namespace gpuio::cli {

/// How often progress is drawn and the interrupt flag looked at.
inline constexpr std::chrono::milliseconds kTick{100};

/// Processors that this process may use, at most `limit`, at least 1.
unsigned worker_count(unsigned limit);

/// Runs `work(worker)` on `workers` threads and returns once all have; rethrows the first exception that one of them
/// threw. Meanwhile `tick` is called on the caller's thread, about every kTick; it may not throw.
void run_workers(unsigned workers, const std::function<void(unsigned worker)>& work,
                 const std::function<void()>& tick = {});

/// Seconds since `start`.
double seconds_since(std::chrono::steady_clock::time_point start);

}  // namespace gpuio::cli
