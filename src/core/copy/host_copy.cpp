// SPDX-License-Identifier: Apache-2.0
#include "core/copy/host_copy.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Versions of one loop for what processors have, chosen when the first is needed. Written out: two loops of four
// instructions need no library, and what one would choose at build time is chosen here by the machine that runs it.
namespace gpuio::core {
namespace {

#if defined(__x86_64__)

__attribute__((target("avx512f"))) void stream_lines_512(std::byte* to, const std::byte* from, std::size_t lines,
                                                         std::size_t ahead_bytes) noexcept {
  const std::size_t end = lines * kHostLineBytes;
  std::size_t at = 0;
  for (; at + 2 * kHostLineBytes <= end; at += 2 * kHostLineBytes) {
    _mm_prefetch(reinterpret_cast<const char*>(from + at + ahead_bytes), _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(from + at + kHostLineBytes + ahead_bytes), _MM_HINT_T0);
    const __m512i first = _mm512_loadu_si512(from + at);
    const __m512i second = _mm512_loadu_si512(from + at + kHostLineBytes);
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to + at), first);
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to + at + kHostLineBytes), second);
  }
  if (at < end) _mm512_stream_si512(reinterpret_cast<__m512i*>(to + at), _mm512_loadu_si512(from + at));
}

__attribute__((target("avx2"))) void stream_lines_256(std::byte* to, const std::byte* from, std::size_t lines,
                                                      std::size_t ahead_bytes) noexcept {
  for (std::size_t i = 0; i < lines; ++i, to += kHostLineBytes, from += kHostLineBytes) {
    _mm_prefetch(reinterpret_cast<const char*>(from + ahead_bytes), _MM_HINT_T0);
    const auto* source = reinterpret_cast<const __m256i*>(from);
    auto* destination = reinterpret_cast<__m256i*>(to);
    const __m256i low = _mm256_loadu_si256(source);
    const __m256i high = _mm256_loadu_si256(source + 1);
    _mm256_stream_si256(destination, low);
    _mm256_stream_si256(destination + 1, high);
  }
}

/// Every processor of this architecture has these.
void stream_lines_128(std::byte* to, const std::byte* from, std::size_t lines, std::size_t ahead_bytes) noexcept {
  for (std::size_t i = 0; i < lines; ++i, to += kHostLineBytes, from += kHostLineBytes) {
    _mm_prefetch(reinterpret_cast<const char*>(from + ahead_bytes), _MM_HINT_T0);
    const auto* source = reinterpret_cast<const __m128i*>(from);
    auto* destination = reinterpret_cast<__m128i*>(to);
    for (std::size_t k = 0; k < kHostLineBytes / sizeof(__m128i); ++k) {
      _mm_stream_si128(destination + k, _mm_loadu_si128(source + k));
    }
  }
}

struct Ways {
  std::array<StreamingCopy, 3> list;
  std::size_t count = 0;
};

Ways ways_of_this_processor() noexcept {
  Ways ways;
  if (__builtin_cpu_supports("avx512f") != 0) ways.list[ways.count++] = {"512 bits", stream_lines_512};
  if (__builtin_cpu_supports("avx2") != 0) ways.list[ways.count++] = {"256 bits", stream_lines_256};
  ways.list[ways.count++] = {"128 bits", stream_lines_128};
  return ways;
}

#endif

/// The next page: the processor's own fetching ends with each, and a page's translation comes with its first line.
constexpr std::size_t kAheadBytes = 4096;

/// Single bytes up to the destination's next line, whole lines past the caches, the rest.
void stream(const StreamingCopy& way, std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  const std::size_t skew = reinterpret_cast<std::uintptr_t>(to) % kHostLineBytes;
  const std::size_t head = std::min(bytes, (kHostLineBytes - skew) % kHostLineBytes);
  const std::size_t lines = (bytes - head) / kHostLineBytes;
  const std::size_t tail = head + lines * kHostLineBytes;
  std::memcpy(to, from, head);
  way.copy(to + head, from + head, lines, kAheadBytes);
  streaming_fence();
  std::memcpy(to + tail, from + tail, bytes - tail);
}

}  // namespace

std::span<const StreamingCopy> streaming_copies() noexcept {
#if defined(__x86_64__)
  static const Ways ways = ways_of_this_processor();
  return std::span(ways.list).first(ways.count);
#else
  return {};
#endif
}

void streaming_fence() noexcept {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

void host_copy(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  host_copy_part(to, from, bytes, bytes);
}

void host_copy_part(std::byte* to, const std::byte* from, std::size_t bytes, std::size_t whole_bytes) noexcept {
  if (bytes == 0) return;
  if (whole_bytes >= streamed_bytes_min()) {
    if (const auto ways = streaming_copies(); !ways.empty()) return stream(ways.front(), to, from, bytes);
  }
  std::memcpy(to, from, bytes);
}

}  // namespace gpuio::core
