// SPDX-License-Identifier: Apache-2.0
#include "core/view/cache_lines.h"

#include <atomic>

#include "gpuio/dev/view.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace gpuio::core {

#if defined(__x86_64__)
namespace {

enum class Instruction { clflush, clflushopt, clwb };

struct Instructions {
  Instruction write_back = Instruction::clflush;
  Instruction drop = Instruction::clflush;
};

Instructions ask_processor() noexcept {
  constexpr unsigned kExtendedFeatures = 7;
  constexpr unsigned kClflushopt = 1U << 23U;
  constexpr unsigned kClwb = 1U << 24U;
  Instructions found;
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid_count(kExtendedFeatures, 0, &a, &b, &c, &d) == 0) return found;
  if ((b & kClflushopt) != 0) found = {Instruction::clflushopt, Instruction::clflushopt};
  if ((b & kClwb) != 0) found.write_back = Instruction::clwb;
  return found;
}

const Instructions& instructions() noexcept {
  static const Instructions found = ask_processor();
  return found;
}

// The loops are inside, since an instruction that only some processors have is not inlined into code for all.
__attribute__((target("clwb"))) void each_clwb(const LineRange& lines) noexcept {
  for (std::byte* line = lines.begin; line < lines.end; line += kCacheLineBytes) _mm_clwb(line);
}

__attribute__((target("clflushopt"))) void each_clflushopt(const LineRange& lines) noexcept {
  for (std::byte* line = lines.begin; line < lines.end; line += kCacheLineBytes) _mm_clflushopt(line);
}

void each_clflush(const LineRange& lines) noexcept {
  for (std::byte* line = lines.begin; line < lines.end; line += kCacheLineBytes) _mm_clflush(line);
}

void start(Instruction instruction, const void* data, std::uint64_t bytes) noexcept {
  const LineRange lines = lines_of(data, bytes);
  switch (instruction) {
    case Instruction::clwb:
      return each_clwb(lines);
    case Instruction::clflushopt:
      return each_clflushopt(lines);
    case Instruction::clflush:
      return each_clflush(lines);
  }
}

}  // namespace

void start_write_back(const void* data, std::uint64_t bytes) noexcept { start(instructions().write_back, data, bytes); }

void start_drop(const void* data, std::uint64_t bytes) noexcept { start(instructions().drop, data, bytes); }

// mfence, and not a locked instruction: it is what waits for clflushopt and clwb. Loads keep their order by themselves.
void full_fence() noexcept { _mm_mfence(); }

void order_loads() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

bool can_write_back() noexcept { return true; }  // clflush came with the architecture's first processors.

const char* write_back_instruction() noexcept {
  switch (instructions().write_back) {
    case Instruction::clwb:
      return "clwb";
    case Instruction::clflushopt:
      return "clflushopt";
    case Instruction::clflush:
      break;
  }
  return "clflush";
}

}  // namespace gpuio::core

namespace gpuio::dev {

void write_back(const void* data, std::uint64_t bytes) noexcept {
  core::start_write_back(data, bytes);
  // clwb and clflushopt are ordered by fences alone: the store that tells others must not overtake them.
  _mm_sfence();
}

void drop(const void* data, std::uint64_t bytes) noexcept {
  // Before it, so that no line is dropped before the load that told us to; after it, so that no load is served early.
  _mm_mfence();
  core::start_drop(data, bytes);
  _mm_mfence();
}

}  // namespace gpuio::dev

#else

// Never reached: memory that would need them is refused.
void start_write_back(const void*, std::uint64_t) noexcept {}
void start_drop(const void*, std::uint64_t) noexcept {}
void full_fence() noexcept { std::atomic_thread_fence(std::memory_order_seq_cst); }
void order_loads() noexcept { std::atomic_thread_fence(std::memory_order_acquire); }
bool can_write_back() noexcept { return false; }
const char* write_back_instruction() noexcept { return "none"; }

}  // namespace gpuio::core

namespace gpuio::dev {

void write_back(const void*, std::uint64_t) noexcept {}
void drop(const void*, std::uint64_t) noexcept {}

}  // namespace gpuio::dev

#endif
