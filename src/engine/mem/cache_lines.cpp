// SPDX-License-Identifier: Apache-2.0
#include "engine/mem/cache_lines.h"

#include <atomic>
#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace gpuio::mem {
namespace {

#if defined(__x86_64__)

constexpr std::uintptr_t kLineBytes = 64;

struct Instructions {
  bool clflushopt = false;
  bool clwb = false;
};

const Instructions& instructions() noexcept {
  static const Instructions found = [] {
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return Instructions();
    return Instructions{(b & bit_CLFLUSHOPT) != 0, (b & bit_CLWB) != 0};
  }();
  return found;
}

template <class Flush>
void each_line(const std::byte* base, std::size_t bytes, Flush flush) noexcept {
  const auto begin = reinterpret_cast<std::uintptr_t>(base) & ~(kLineBytes - 1);
  const auto end = reinterpret_cast<std::uintptr_t>(base) + bytes;
  for (std::uintptr_t line = begin; line < end; line += kLineBytes) flush(reinterpret_cast<void*>(line));
}

__attribute__((target("clwb"))) void clwb(void* line) noexcept { _mm_clwb(line); }
__attribute__((target("clflushopt"))) void clflushopt(void* line) noexcept { _mm_clflushopt(line); }
void clflush(void* line) noexcept { _mm_clflush(line); }

/// Evicts, by the best instruction that there is.
void evict(const std::byte* base, std::size_t bytes) noexcept {
  if (instructions().clflushopt) {
    each_line(base, bytes, clflushopt);
  } else {
    each_line(base, bytes, clflush);
  }
}

#endif

}  // namespace

void write_back_lines(const std::byte* base, std::size_t bytes) noexcept {
#if defined(__x86_64__)
  if (instructions().clwb) {
    each_line(base, bytes, clwb);
  } else {
    evict(base, bytes);
  }
  _mm_sfence();
#else
  static_cast<void>(base);
  static_cast<void>(bytes);
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

void drop_lines(const std::byte* base, std::size_t bytes) noexcept {
#if defined(__x86_64__)
  _mm_mfence();  // flushes are not ordered with what came before otherwise
  evict(base, bytes);
  _mm_mfence();
#else
  static_cast<void>(base);
  static_cast<void>(bytes);
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

}  // namespace gpuio::mem
