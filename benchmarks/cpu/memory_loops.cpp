// SPDX-License-Identifier: Apache-2.0
#include "cpu/memory_loops.h"

#include <algorithm>
#include <cstring>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace gpuio::bench {
namespace {

constexpr std::size_t kLineBytes = 64;

#if defined(__x86_64__)

template <std::size_t kAheadBytes>
void fetch(const std::byte* from) {
  if constexpr (kAheadBytes != 0) {
    _mm_prefetch(reinterpret_cast<const char*>(from + kAheadBytes), _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(from + kAheadBytes + kLineBytes), _MM_HINT_T0);
  }
}

template <std::size_t kAheadBytes>
__attribute__((target("avx2"))) void copy_256(std::byte* to, const std::byte* from, std::size_t bytes) {
  for (std::size_t at = 0; at < bytes; at += 2 * kLineBytes) {
    fetch<kAheadBytes>(from + at);
    __m256i loaded[4];
    for (int k = 0; k < 4; ++k) loaded[k] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + at) + k);
    for (int k = 0; k < 4; ++k) _mm256_stream_si256(reinterpret_cast<__m256i*>(to + at) + k, loaded[k]);
  }
  _mm_sfence();
}

template <std::size_t kAheadBytes>
__attribute__((target("avx512f"))) void copy_512(std::byte* to, const std::byte* from, std::size_t bytes) {
  for (std::size_t at = 0; at < bytes; at += 2 * kLineBytes) {
    fetch<kAheadBytes>(from + at);
    const __m512i first = _mm512_loadu_si512(from + at);
    const __m512i second = _mm512_loadu_si512(from + at + kLineBytes);
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to + at), first);
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to + at + kLineBytes), second);
  }
  _mm_sfence();
}

std::vector<CopyLoop> loops_of_this_processor() {
  std::vector<CopyLoop> loops;
  if (__builtin_cpu_supports("avx2") != 0) {
    loops.push_back({"256 bits", copy_256<0>});
    loops.push_back({"256 bits, 512 B ahead", copy_256<512>});
    loops.push_back({"256 bits, 4 KiB ahead", copy_256<4096>});
  }
  if (__builtin_cpu_supports("avx512f") != 0) {
    loops.push_back({"512 bits", copy_512<0>});
    loops.push_back({"512 bits, 512 B ahead", copy_512<512>});
    loops.push_back({"512 bits, 4 KiB ahead", copy_512<4096>});
  }
  return loops;
}

#else

std::vector<CopyLoop> loops_of_this_processor() { return {}; }

#endif

}  // namespace

std::span<const CopyLoop> non_temporal_loops() {
  static const std::vector<CopyLoop> loops = loops_of_this_processor();
  return loops;
}

void gather_plainly(const RowJob& job, std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < end; ++i) {
    std::memcpy(job.packed + i * job.row_bytes, job.table + job.ids[i] * job.row_bytes, job.row_bytes);
  }
}

namespace {

template <int kLevel>
void gather_fetching(const RowJob& job, std::size_t begin, std::size_t end, const Fetch& fetch) {
  const std::size_t fetched = std::min(job.row_bytes, fetch.row_bytes_max);
  for (std::size_t i = begin; i < end; ++i) {
    if (i + fetch.ahead_rows < end) {
      const std::byte* later = job.table + job.ids[i + fetch.ahead_rows] * job.row_bytes;
      for (std::size_t at = 0; at < fetched; at += kLineBytes) __builtin_prefetch(later + at, 0, kLevel);
    }
    std::memcpy(job.packed + i * job.row_bytes, job.table + job.ids[i] * job.row_bytes, job.row_bytes);
  }
}

}  // namespace

void gather_prefetched(const RowJob& job, std::size_t begin, std::size_t end, const Fetch& fetch) {
  return fetch.second_level ? gather_fetching<2>(job, begin, end, fetch) : gather_fetching<3>(job, begin, end, fetch);
}

}  // namespace gpuio::bench
