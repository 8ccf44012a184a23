// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#if !defined(__CUDACC__)
#include <atomic>
#endif

/// The execution policy: what a kernel body is written over, so that the host device runs it as loops and CUDA as
/// warps. The one file that asks which compiler this is.
///
/// A body is a function template `template <class Policy> GPUIO_KERNEL_BODY void body(const Policy&, const
/// Arguments&)`. The work is dealt to *groups* (a warp; one part of a loop on the host); the *lanes* of a group (32; 1
/// on the host) run the same statements side by side. A policy has:
///
///   kLanes                     lanes of a group
///   lane()                     this one's number
///   groups()                   how many groups share the work
///   for_each(count, body)      calls `body(i)` on all lanes of one group, for each i < count once over all groups
///   store_shared(word, value)  stores to a word that other groups and the host may store to at the same time
///
/// GPUIO_ONE_STEP_A_TURN goes before a loop that already does several loads a turn: unrolled further it would only
/// spill.
#if defined(__CUDACC__)
#define GPUIO_KERNEL_BODY __host__ __device__ inline
#else
#define GPUIO_KERNEL_BODY inline
#endif
#if defined(__CUDA_ARCH__)
#define GPUIO_ONE_STEP_A_TURN _Pragma("unroll 1")
#else
#define GPUIO_ONE_STEP_A_TURN
#endif

namespace gpuio::dev {

#if defined(__CUDACC__)

/// On CUDA: a group is a warp, and neighbouring groups take neighbouring items, so that their ids share a cache line.
struct WarpPolicy {
  static constexpr unsigned kLanes = 32;

  __device__ unsigned lane() const { return threadIdx.x % kLanes; }
  __device__ std::uint64_t groups() const { return std::uint64_t{gridDim.x} * (blockDim.x / kLanes); }

  template <class Body>
  __device__ void for_each(std::uint64_t count, const Body& body) const {
    const std::uint64_t first = std::uint64_t{blockIdx.x} * (blockDim.x / kLanes) + threadIdx.x / kLanes;
    for (std::uint64_t i = first; i < count; i += groups()) body(i);
  }

  __device__ void store_shared(std::uint32_t* word, std::uint32_t value) const {
    *static_cast<volatile std::uint32_t*>(word) = value;
  }
};

#else

/// On the host: a group is one of `parts` contiguous runs of items, each run by one pool worker.
struct LoopPolicy {
  static constexpr unsigned kLanes = 1;  ///< Lanes of a group.

  std::uint64_t part = 0;   ///< Which run this is.
  std::uint64_t parts = 1;  ///< How many there are.

  static constexpr unsigned lane() { return 0; }  ///< Of this call, below kLanes.
  std::uint64_t groups() const { return parts; }  ///< Working on this launch.

  /// Calls `body(i)` for the items of this group; over all groups, once for each i below `count`.
  template <class Body>
  void for_each(std::uint64_t count, const Body& body) const {
    const std::uint64_t share = count / parts;
    const std::uint64_t longer = count % parts;  // The first `longer` parts take one item more.
    const std::uint64_t first = part * share + (part < longer ? part : longer);
    const std::uint64_t last = first + share + (part < longer ? 1 : 0);
    for (std::uint64_t i = first; i < last; ++i) body(i);
  }

  /// Stores a word that other groups may store at the same time.
  static void store_shared(std::uint32_t* word, std::uint32_t value) {
    std::atomic_ref<std::uint32_t>(*word).store(value, std::memory_order_relaxed);
  }
};

#endif

}  // namespace gpuio::dev
