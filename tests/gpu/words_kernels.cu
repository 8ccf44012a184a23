// SPDX-License-Identifier: Apache-2.0
#include "words_kernels.h"

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

#include "gpuio/dev/delegate.h"

namespace gpuio::tests {
namespace {

using dev::Atomic;
using dev::AtomicOp;
using dev::Order;
using dev::Scope;

constexpr unsigned kThreadsPerBlock = 256;
constexpr std::uint64_t kPatienceNs = 10'000'000'000;
constexpr std::uint64_t kLine = 16;  // In words: 128 bytes.

void check_launch() {
  const cudaError_t code = cudaGetLastError();
  if (code != cudaSuccess) throw std::runtime_error(std::string("launching: ") + cudaGetErrorString(code));
}

cudaStream_t of(void* stream) { return static_cast<cudaStream_t>(stream); }

__device__ std::uint64_t thread() { return std::uint64_t{blockIdx.x} * blockDim.x + threadIdx.x; }

__global__ void map_kernel(Words from, Words to) {
  for (std::uint64_t i = thread(); i < from.size(); i += std::uint64_t{gridDim.x} * blockDim.x) {
    to.store(i, from.load(i) * 3 + 1);
  }
}

__global__ void talk_kernel(Words state, std::uint64_t rounds, Words gave_up) {
  const std::uint64_t deadline = dev::clock_ns() + kPatienceNs;
  for (std::uint64_t round = 1; round <= rounds; ++round) {
    while (state.atomic(kLine).load(Order::acquire) != round) {
      if (dev::clock_ns() > deadline) {
        gave_up.store(0, gave_up.load(0) + 1);
        return;
      }
    }
    if (state.load(0) != round * 3) gave_up.store(0, gave_up.load(0) + 1);
    state.store(3 * kLine, round * 5);
    state.atomic(2 * kLine).store(round, Order::release);
  }
}

__global__ void meet_kernel(Words words) {
  words.atomic<Scope::device>(0).fetch_add(1, Order::relaxed);
  words.atomic<Scope::device>(kLine).fetch_max(thread(), Order::relaxed);
  // One lane at a time, so that the lanes of a warp do not wait for each other inside.
  bool done = false;
  while (!done) {
    if (words.atomic<Scope::device>(2 * kLine).exchange(1, Order::acquire) == 0) {
      words.store(3 * kLine, words.load(3 * kLine) + 1);
      words.atomic<Scope::device>(2 * kLine).store(0, Order::release);
      done = true;
    }
  }
}

__global__ void delegate_kernel(const __grid_constant__ dev::DelegateRing ring, Words old) {
  const dev::Delegate owner(ring);
  const std::uint64_t i = thread();
  if (i >= old.size()) return;
  if (i % 2 == 1) owner.perform<std::uint64_t>(AtomicOp::add, 1 + i, 7);
  old.store(i, owner.perform<std::uint64_t>(AtomicOp::add, 0, 1));
}

unsigned blocks_for(std::uint64_t threads) {
  return static_cast<unsigned>((threads + kThreadsPerBlock - 1) / kThreadsPerBlock);
}

}  // namespace

void map_words(void* stream, Words from, Words to) {
  map_kernel<<<64, kThreadsPerBlock, 0, of(stream)>>>(from, to);
  check_launch();
}

void talk(void* stream, Words state, std::uint64_t rounds, Words gave_up) {
  talk_kernel<<<1, 1, 0, of(stream)>>>(state, rounds, gave_up);
  check_launch();
}

void meet(void* stream, Words words, unsigned blocks, unsigned threads) {
  meet_kernel<<<blocks, threads, 0, of(stream)>>>(words);
  check_launch();
}

void delegate(void* stream, const dev::DelegateRing& ring, Words old, unsigned threads) {
  delegate_kernel<<<blocks_for(threads), kThreadsPerBlock, 0, of(stream)>>>(ring, old);
  check_launch();
}

}  // namespace gpuio::tests
