// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <type_traits>

#include "gpuio/dev/scope.h"
#include "gpuio/dev/words.h"

#if defined(__CUDACC__)
#include <cuda/atomic>
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
///
/// Below the policies stands what else differs between host code and kernels: atomics by scope, words that cross the
/// bus whole, waiting, time, and how a failed check ends. All of it may be called from both (GPUIO_ANYWHERE).
#if defined(__CUDACC__)
#define GPUIO_ANYWHERE __host__ __device__
#else
#define GPUIO_ANYWHERE
#endif
#define GPUIO_KERNEL_BODY GPUIO_ANYWHERE inline
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

#if defined(__CUDACC__)
namespace native_library = ::cuda::std;
/// An atomic reference of the library that goes with the compiler.
template <class T, Scope kScope>
using AtomicRef =
    ::cuda::atomic_ref<T, kScope == Scope::device ? ::cuda::thread_scope_device : ::cuda::thread_scope_system>;
#else
namespace native_library = ::std;
/// An atomic reference of the library that goes with the compiler. All scopes are one on the host.
template <class T, Scope>
using AtomicRef = std::atomic_ref<T>;
#endif

/// The order as AtomicRef takes it.
GPUIO_ANYWHERE constexpr native_library::memory_order native(Order order) {
  switch (order) {
    case Order::relaxed:
      return native_library::memory_order_relaxed;
    case Order::acquire:
      return native_library::memory_order_acquire;
    case Order::release:
      return native_library::memory_order_release;
    case Order::acquire_release:
      return native_library::memory_order_acq_rel;
    default:
      return native_library::memory_order_seq_cst;
  }
}

/// fetch_add of AtomicRef. In no order and for one device it is CUDA's own function: a reduction where nobody takes
/// what the word was, a fifth faster than the library's.
template <Scope kScope, class T>
GPUIO_ANYWHERE T fetch_add(T& word, T value, Order order) {
#if defined(__CUDA_ARCH__)
  if constexpr (kScope == Scope::device) {
    if (order == Order::relaxed) {
      if constexpr (std::is_integral_v<T>) {
        using Bits = std::conditional_t<sizeof(T) == 4, unsigned, unsigned long long>;
        return static_cast<T>(atomicAdd(reinterpret_cast<Bits*>(&word), static_cast<Bits>(value)));
      } else {
        return atomicAdd(&word, value);
      }
    }
  }
#endif
  return AtomicRef<T, kScope>(word).fetch_add(value, native(order));
}

/// Whether an operation of this order keeps what precedes it ahead of it.
GPUIO_ANYWHERE constexpr bool releases(Order order) { return order != Order::relaxed && order != Order::acquire; }
/// Whether it keeps what follows it behind it.
GPUIO_ANYWHERE constexpr bool acquires(Order order) { return order != Order::relaxed && order != Order::release; }

/// Keeps a kernel's loads and stores on their side of a TaggedWord that crosses the bus. Nothing on the host, where
/// store_tagged and load_tagged order them.
GPUIO_KERNEL_BODY void fence_for_host() {
#if defined(__CUDA_ARCH__)
  __threadfence_system();
#endif
}

/// Stores both words so that nobody sees the tag without its value. By a kernel it is one access of 16 bytes: loads and
/// stores of that size are all that is atomic between the host and a device without native atomics.
GPUIO_KERNEL_BODY void store_tagged(TaggedWord* to, TaggedWord word) {
#if defined(__CUDA_ARCH__)
  asm volatile("{ .reg .b128 pair; mov.b128 pair, {%1, %2}; st.relaxed.sys.b128 [%0], pair; }"
               :
               : "l"(to), "l"(word.value), "l"(word.tag)
               : "memory");
#else
  AtomicRef<std::uint64_t, Scope::process>(to->value).store(word.value, native(Order::relaxed));
  AtomicRef<std::uint64_t, Scope::process>(to->tag).store(word.tag, native(Order::release));
#endif
}

/// Loads both words; the value is the tag's or a later one's. One access of 16 bytes by a kernel.
GPUIO_KERNEL_BODY TaggedWord load_tagged(const TaggedWord* from) {
  TaggedWord word{};
#if defined(__CUDA_ARCH__)
  asm volatile("{ .reg .b128 pair; ld.relaxed.sys.b128 pair, [%2]; mov.b128 {%0, %1}, pair; }"
               : "=l"(word.value), "=l"(word.tag)
               : "l"(from)
               : "memory");
#else
  auto* shared = const_cast<TaggedWord*>(from);
  word.tag = AtomicRef<std::uint64_t, Scope::process>(shared->tag).load(native(Order::acquire));
  word.value = AtomicRef<std::uint64_t, Scope::process>(shared->value).load(native(Order::relaxed));
#endif
  return word;
}

/// Nanoseconds of a clock that only goes forward.
GPUIO_KERNEL_BODY std::uint64_t clock_ns() {
#if defined(__CUDA_ARCH__)
  std::uint64_t now;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
  return now;
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
#endif
}

/// Between two looks at a word that another processor will change; the longer the more looks there were.
GPUIO_KERNEL_BODY void pause(unsigned looks) {
#if defined(__CUDA_ARCH__)
  __nanosleep(looks < 7 ? 32U << looks : 4000U);
#else
  constexpr unsigned kLooksAwake = 64;      // A few us, as long as an answer takes from a core that is awake.
  constexpr unsigned kLooksYielding = 128;  // Beyond, who is waited for has no core: more looks would only keep it so.
  if (looks >= kLooksYielding) {
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  } else if (looks >= kLooksAwake) {
    std::this_thread::yield();
  }
#endif
}

/// A number to spread callers by: the multiprocessor's; on the host, threads are dealt numbers in turn.
GPUIO_KERNEL_BODY std::uint32_t processor() {
#if defined(__CUDA_ARCH__)
  std::uint32_t number;
  asm volatile("mov.u32 %0, %smid;" : "=r"(number));
  return number;
#else
  static std::atomic<std::uint32_t> next{0};
  static thread_local const std::uint32_t number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
#endif
}

/// Ends the kernel or the program: a check of a debug build has failed.
GPUIO_KERNEL_BODY void fail(const char* what, std::uint64_t index, std::uint64_t limit) {
  const auto at = static_cast<unsigned long long>(index);
  const auto end = static_cast<unsigned long long>(limit);
#if defined(__CUDA_ARCH__)
  ::printf("gpuio: %s: %llu of %llu\n", what, at, end);
  __trap();
#else
  std::fprintf(stderr, "gpuio: %s: %llu of %llu\n", what, at, end);
  std::abort();
#endif
}

/// The lanes of a group that have come here together. They must go on together to each `of_first`.
class Companions {
 public:
  /// Those here now.
  GPUIO_ANYWHERE Companions() {
#if defined(__CUDA_ARCH__)
    mask_ = __activemask();
#endif
  }

  /// How many.
  GPUIO_ANYWHERE unsigned count() const {
#if defined(__CUDA_ARCH__)
    return static_cast<unsigned>(__popc(mask_));
#else
    return 1;
#endif
  }

  /// This one's number among them.
  GPUIO_ANYWHERE unsigned rank() const {
#if defined(__CUDA_ARCH__)
    unsigned before;
    asm("mov.u32 %0, %lanemask_lt;" : "=r"(before));
    return static_cast<unsigned>(__popc(mask_ & before));
#else
    return 0;
#endif
  }

  /// What the first of them passes.
  template <class T>
  GPUIO_ANYWHERE T of_first(T value) const {
#if defined(__CUDA_ARCH__)
    return __shfl_sync(mask_, value, __ffs(static_cast<int>(mask_)) - 1);
#else
    return value;
#endif
  }

 private:
  [[maybe_unused]] unsigned mask_ = 1;  ///< Lanes of a warp, a bit each.
};

}  // namespace gpuio::dev
