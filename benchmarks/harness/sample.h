// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include <sys/resource.h>

namespace gpuio::bench {

/// One short measurement: what it took and what it moved.
struct Sample {
  double seconds = 0;
  double cpu_seconds = 0;  ///< User and kernel, of all threads that did the work.
  std::uint64_t bytes = 0;
  std::uint64_t operations = 0;
};

/// CPU time of this process so far, the kernel's on its behalf included.
inline double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Times `work`, which does it in this process and adds up bytes and operations.
template <class Work>
Sample timed(Work&& work) {
  Sample sample;
  const double cpu_before = cpu_seconds();
  const Stopwatch watch;
  std::forward<Work>(work)(sample);
  sample.seconds = watch.seconds();
  sample.cpu_seconds = cpu_seconds() - cpu_before;
  return sample;
}

}  // namespace gpuio::bench
