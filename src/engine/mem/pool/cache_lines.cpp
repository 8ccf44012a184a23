// SPDX-License-Identifier: Apache-2.0
#include "engine/mem/pool/cache_lines.h"

#include <atomic>

#include "base/align.h"
#include "engine/mem/pool/format.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace gpuio::pool {
namespace {

#if defined(__x86_64__)
enum class Instruction : std::uint8_t { clwb, clflushopt, clflush };

struct Choice {
  Instruction write_back = Instruction::clflush;
  Instruction drop = Instruction::clflush;
};

Choice choose() noexcept {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  Choice choice;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return choice;
  if ((ebx & bit_CLFLUSHOPT) != 0) choice = {.write_back = Instruction::clflushopt, .drop = Instruction::clflushopt};
  if ((ebx & bit_CLWB) != 0) choice.write_back = Instruction::clwb;
  return choice;
}

const Choice& chosen() noexcept {
  static const Choice choice = choose();
  return choice;
}

__attribute__((target("clwb"))) void each_clwb(const std::byte* line, const std::byte* end) noexcept {
  for (; line < end; line += kLineBytes) _mm_clwb(const_cast<std::byte*>(line));
}

__attribute__((target("clflushopt"))) void each_clflushopt(const std::byte* line, const std::byte* end) noexcept {
  for (; line < end; line += kLineBytes) _mm_clflushopt(const_cast<std::byte*>(line));
}

void each_clflush(const std::byte* line, const std::byte* end) noexcept {
  for (; line < end; line += kLineBytes) _mm_clflush(line);
}

void each(Instruction instruction, const std::byte* address, std::uint64_t bytes) noexcept {
  const std::byte* const end = address + bytes;
  const auto* const line = address - reinterpret_cast<std::uintptr_t>(address) % kLineBytes;
  switch (instruction) {
    case Instruction::clwb:
      return each_clwb(line, end);
    case Instruction::clflushopt:
      return each_clflushopt(line, end);
    case Instruction::clflush:
      return each_clflush(line, end);
  }
}
#endif

}  // namespace

#if defined(__x86_64__)
void write_back_lines(const std::byte* address, std::uint64_t bytes) noexcept {
  each(chosen().write_back, address, bytes);
}

void drop_lines(const std::byte* address, std::uint64_t bytes) noexcept { each(chosen().drop, address, bytes); }

// mfence, and not a locked instruction: it is what waits for clflushopt and clwb. Loads keep their order by themselves.
void full_fence() noexcept { _mm_mfence(); }

void order_loads() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

std::string_view line_instruction() noexcept {
  switch (chosen().write_back) {
    case Instruction::clwb:
      return "clwb";
    case Instruction::clflushopt:
      return "clflushopt";
    case Instruction::clflush:
      break;
  }
  return "clflush";
}
#else
// Pool::create and Pool::open refuse memory that is not coherent where there is no instruction.
void write_back_lines(const std::byte* /*address*/, std::uint64_t /*bytes*/) noexcept {}

void drop_lines(const std::byte* /*address*/, std::uint64_t /*bytes*/) noexcept {}

void full_fence() noexcept { std::atomic_thread_fence(std::memory_order_seq_cst); }

void order_loads() noexcept { std::atomic_thread_fence(std::memory_order_acquire); }

std::string_view line_instruction() noexcept { return ""; }
#endif

}  // namespace gpuio::pool
