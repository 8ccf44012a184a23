// SPDX-License-Identifier: Apache-2.0
// The same loop of atomic additions twice: by CUDA's function, and by our header as a user's kernel has it.

#include "mem_atomics.h"

#include "gpuio/dev/atomics.h"

namespace {

__device__ unsigned long long add(unsigned long long& word, unsigned long long value, bool by_header) {
  using gpuio::dev::Order;
  using gpuio::dev::Scope;
  if (by_header) return gpuio::dev::Atomic<unsigned long long, Scope::device>(word).fetch_add(value, Order::relaxed);
  return atomicAdd(&word, value);
}

template <bool kByHeader, bool kFetch>
__global__ void add_all(const Adds adds) {
  const std::uint64_t step = std::uint64_t{gridDim.x} * blockDim.x;
  for (std::uint64_t i = std::uint64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < adds.count; i += step) {
    const unsigned long long was = add(adds.words[adds.ids[i]], i + 1, kByHeader);
    if (kFetch) adds.old[i] = was;
  }
}

template <bool kByHeader>
void launch(const Adds& adds, unsigned blocks, unsigned threads, cudaStream_t stream) {
  if (adds.fetch) {
    add_all<kByHeader, true><<<blocks, threads, 0, stream>>>(adds);
  } else {
    add_all<kByHeader, false><<<blocks, threads, 0, stream>>>(adds);
  }
}

}  // namespace

cudaError_t launch_adds(const Adds& adds, unsigned blocks, unsigned threads, cudaStream_t stream) {
  if (adds.by_header) {
    launch<true>(adds, blocks, threads, stream);
  } else {
    launch<false>(adds, blocks, threads, stream);
  }
  return cudaGetLastError();
}
