// SPDX-License-Identifier: Apache-2.0
#pragma once

// The least that a gather and a scatter of rows take: a warp a row, each lane as wide as the row's length allows. It
// includes nothing, because peers/mem_torch.py has it compiled where it runs.

template <class Unit>
__global__ void gather(const char* __restrict__ table, const unsigned* __restrict__ ids, unsigned long long count,
                       unsigned row_bytes, char* __restrict__ packed) {
  const unsigned lane = threadIdx.x % 32;
  const unsigned long long warps = gridDim.x * static_cast<unsigned long long>(blockDim.x) / 32;
  unsigned long long row = (blockIdx.x * static_cast<unsigned long long>(blockDim.x) + threadIdx.x) / 32;
  for (; row < count; row += warps) {
    const Unit* from = reinterpret_cast<const Unit*>(table + static_cast<unsigned long long>(ids[row]) * row_bytes);
    Unit* to = reinterpret_cast<Unit*>(packed + row * row_bytes);
    for (unsigned i = lane; i < row_bytes / sizeof(Unit); i += 32) to[i] = from[i];
  }
}

template <class Unit>
__global__ void scatter(char* __restrict__ table, const unsigned* __restrict__ ids, unsigned long long count,
                        unsigned row_bytes, const char* __restrict__ packed) {
  const unsigned lane = threadIdx.x % 32;
  const unsigned long long warps = gridDim.x * static_cast<unsigned long long>(blockDim.x) / 32;
  unsigned long long row = (blockIdx.x * static_cast<unsigned long long>(blockDim.x) + threadIdx.x) / 32;
  for (; row < count; row += warps) {
    const Unit* from = reinterpret_cast<const Unit*>(packed + row * row_bytes);
    Unit* to = reinterpret_cast<Unit*>(table + static_cast<unsigned long long>(ids[row]) * row_bytes);
    for (unsigned i = lane; i < row_bytes / sizeof(Unit); i += 32) to[i] = from[i];
  }
}
