// SPDX-License-Identifier: Apache-2.0
#include "core/host_copy.h"

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

constexpr std::size_t kLineBytes = 64;

#if defined(__x86_64__)

/// The next page: the processor's own prefetching ends with each, and a page's translation comes with its first line.
constexpr std::size_t kAheadBytes = 4096;

__attribute__((target("avx512f"))) void stream_lines_512(std::byte* to, const std::byte* from,
                                                         std::size_t lines) noexcept {
  for (std::size_t i = 0; i < lines; ++i, to += kLineBytes, from += kLineBytes) {
    _mm_prefetch(reinterpret_cast<const char*>(from + kAheadBytes), _MM_HINT_T0);
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), _mm512_loadu_si512(from));
  }
  _mm_sfence();
}

__attribute__((target("avx2"))) void stream_lines_256(std::byte* to, const std::byte* from,
                                                      std::size_t lines) noexcept {
  for (std::size_t i = 0; i < lines; ++i, to += kLineBytes, from += kLineBytes) {
    _mm_prefetch(reinterpret_cast<const char*>(from + kAheadBytes), _MM_HINT_T0);
    const auto* source = reinterpret_cast<const __m256i*>(from);
    auto* destination = reinterpret_cast<__m256i*>(to);
    const __m256i low = _mm256_loadu_si256(source);
    const __m256i high = _mm256_loadu_si256(source + 1);
    _mm256_stream_si256(destination, low);
    _mm256_stream_si256(destination + 1, high);
  }
  _mm_sfence();
}

/// Every processor of this architecture has these.
void stream_lines_128(std::byte* to, const std::byte* from, std::size_t lines) noexcept {
  for (std::size_t i = 0; i < lines; ++i, to += kLineBytes, from += kLineBytes) {
    _mm_prefetch(reinterpret_cast<const char*>(from + kAheadBytes), _MM_HINT_T0);
    const auto* source = reinterpret_cast<const __m128i*>(from);
    auto* destination = reinterpret_cast<__m128i*>(to);
    for (std::size_t k = 0; k < kLineBytes / sizeof(__m128i); ++k) {
      _mm_stream_si128(destination + k, _mm_loadu_si128(source + k));
    }
  }
  _mm_sfence();
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

/// Single bytes up to the destination's next line, whole lines past the caches, the rest.
void stream(const StreamingCopy& way, std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  const std::size_t skew = reinterpret_cast<std::uintptr_t>(to) % kLineBytes;
  const std::size_t head = std::min(bytes, (kLineBytes - skew) % kLineBytes);
  const std::size_t lines = (bytes - head) / kLineBytes;
  const std::size_t tail = head + lines * kLineBytes;
  std::memcpy(to, from, head);
  way.copy(to + head, from + head, lines);
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
