// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

/// What can be done to a word, and where those lie who do it for others. Plain data, as it goes to kernels; what works
/// with it is in atomics.h and delegate.h.
namespace gpuio::dev {

/// What an atomic operation does to its word. Minimum, maximum and the bitwise ones are for integers.
enum class AtomicOp : std::uint8_t {
  add,               ///< Integers wrap.
  subtract,          ///< Integers wrap.
  minimum,           ///< The smaller of the two stays.
  maximum,           ///< The larger of the two stays.
  bit_and,           ///< Bits that both have.
  bit_or,            ///< Bits that either has.
  bit_xor,           ///< Bits that one of them has.
  exchange,          ///< The operand takes its place.
  compare_exchange,  ///< Stores the operand if the word has the bits of `expected`.
};

/// The type of a word.
enum class ValueType : std::uint8_t {
  i32,  ///< std::int32_t
  u32,  ///< std::uint32_t
  i64,  ///< std::int64_t
  u64,  ///< std::uint64_t
  f32,  ///< float
  f64,  ///< double
};

/// Two words that are read and written together, so that whoever sees the new tag sees its value.
struct alignas(16) TaggedWord {
  std::uint64_t value;  ///< What is said.
  std::uint64_t tag;    ///< Tells this saying from the one before it.
};

/// Where the ring of a delegate lies (delegate.h says how it works). Goes to kernels by value; DelegatedAtomics makes
/// it.
///
/// `shared`, in memory that both sides load and store: for each queue, `slots` requests, `slots` second operands,
/// `slots` answers. `own`, in memory of the callers' device: a line of kOwnLineBytes that begins with the word
/// `broken`; then for each queue a line that begins with its ticket counter, and the turns of its slots, 4 bytes each.
/// All zero at the start.
struct DelegateRing {
  TaggedWord* shared = nullptr;   ///< See above.
  std::byte* own = nullptr;       ///< See above.
  std::uint64_t words_bytes = 0;  ///< Bytes of the words.
  std::uint64_t timeout_ns = 0;   ///< How long a caller waits.
  std::uint32_t queues = 0;       ///< Callers of one multiprocessor use the same one.
  std::uint32_t slots = 0;        ///< Of each queue; a power of two, at least kSlotsMin.
};
static_assert(sizeof(DelegateRing) == 40, "kernels of another build would read it wrongly");

inline constexpr std::uint32_t kOwnLineBytes = 128;  ///< So that counters of two queues share no cache line of any GPU.
inline constexpr std::uint32_t kSlotsMin = 64;       ///< A multiple of 32, so that turns fill whole lines.

}  // namespace gpuio::dev
