// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <cuda_runtime_api.h>

/// Random additions to words of the GPU's memory, for programs that nvcc does not compile.

struct Adds {
  unsigned long long* words = nullptr;
  const unsigned* ids = nullptr;
  std::uint64_t count = 0;
  bool by_header = false;  ///< Through gpuio/dev/atomics.h; else atomicAdd.
  bool fetch = false;      ///< What each word was goes to `old`.
  unsigned long long* old = nullptr;
};

cudaError_t launch_adds(const Adds& adds, unsigned blocks, unsigned threads, cudaStream_t stream);
