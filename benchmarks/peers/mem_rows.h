// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <cuda_runtime_api.h>

/// The minimal kernels of mem_rows.cuh, for programs that nvcc does not compile.

struct RowMove {
  bool scatter = false;
  char* table = nullptr;
  const unsigned* ids = nullptr;
  std::uint64_t count = 0;
  unsigned row_bytes = 0;  ///< A multiple of 8.
  char* packed = nullptr;
};

cudaError_t launch_rows(const RowMove& move, unsigned blocks, unsigned threads, cudaStream_t stream);
