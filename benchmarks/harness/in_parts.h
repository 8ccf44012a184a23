// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <thread>
#include <vector>

namespace gpuio::bench {

/// Runs `work(begin, end)` over equal parts of [0, count), one thread each, the caller's among them.
template <class Work>
void in_parts(std::size_t count, unsigned threads, const Work& work) {
  const auto part = [&](unsigned index) { work(count * index / threads, count * (index + 1) / threads); };
  std::vector<std::jthread> others;
  for (unsigned index = 1; index < threads; ++index) others.emplace_back(part, index);
  part(0);
}

}  // namespace gpuio::bench
