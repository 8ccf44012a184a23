// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "gpuio/dev/atomics.h"

/// Atomic operations that the owner of the words does on behalf of those whose own are not legal there: a GPU on host
/// memory behind PCIe without native atomics. Same results, also beside the owner's own operations on these words.
///
/// Between such a device and the host nothing is atomic but aligned loads and stores of up to 16 bytes. So what both
/// touch is written by one side alone, whole: a *request* is one TaggedWord, an *answer* another, and the tag says
/// which round of the ring it belongs to. What the callers share among themselves (tickets, whose turn a slot is) lies
/// in memory of their own, where their atomics are legal. No index crosses the bus.
///
///     caller  takes a ticket; its slot is ticket % slots, its round ticket / slots
///             waits until the slot's turn is that round: the caller of the round before has read its answer
///             writes the request, tagged with the round; waits for an answer with that tag; raises the turn
///     owner   looks at its next slot; a request with the tag of the round that it is in is new: does it, answers
///
/// Lanes of a warp that call together take neighbouring tickets with one addition, and their requests go out together.
/// A caller that takes part is served before any that took a later ticket, and holds nothing while it waits for its
/// turn but that ticket, so all get on while the owner does. When it does not, callers give up after `timeout_ns`; the
/// ring is broken then for good, because what was asked for may still be done.
namespace gpuio::dev {

/// What became of a delegated operation.
enum class DelegateResult : std::uint32_t {
  done,          ///< `old` is what the word was.
  out_of_range,  ///< No such word; nothing was done.
  misaligned,    ///< Not at a multiple of its size; nothing was done.
  unsupported,   ///< It does not apply to that type; nothing was done.
  lost,          ///< The owner did not answer, now or at an earlier call: it may have been done or not.
};

/// One operation on one word of the owner's.
struct DelegateRequest {
  AtomicOp op = AtomicOp::add;      ///< What to do.
  ValueType type = ValueType::u64;  ///< To a word of that type
  std::uint64_t offset = 0;         ///< at so many bytes from the first word.
  std::uint64_t operand = 0;        ///< Bits of the operand,
  std::uint64_t expected = 0;       ///< and for compare_exchange of what the word must be.
};

/// What came back.
struct DelegateAnswer {
  DelegateResult result = DelegateResult::lost;  ///< What became of it.
  std::uint64_t old = 0;                         ///< Bits of what the word was.
};

/// How a request's tag is made: the round in the low 16 bits, so that it never looks like the one before it; then what
/// to do, to what type, and the offset in units of 4 bytes.
namespace tag {
inline constexpr std::uint64_t kOffsetMax = (std::uint64_t{1} << 43) - 4;  ///< Bytes: 8 TiB of words.

/// Of a request of that round.
GPUIO_ANYWHERE constexpr std::uint64_t of(const DelegateRequest& request, std::uint64_t round) {
  return (round & 0xffffU) | static_cast<std::uint64_t>(request.op) << 16 |
         static_cast<std::uint64_t>(request.type) << 20 | request.offset / 4 << 23;
}
/// Of an answer in that round.
GPUIO_ANYWHERE constexpr std::uint64_t of(DelegateResult result, std::uint64_t round) {
  return (round & 0xffffU) | static_cast<std::uint64_t>(result) << 16;
}
/// Whether it is of that round.
GPUIO_ANYWHERE constexpr bool is_of(std::uint64_t tag, std::uint64_t round) { return ((tag ^ round) & 0xffffU) == 0; }
/// The request, but for its operands.
GPUIO_ANYWHERE constexpr DelegateRequest request(std::uint64_t tag) {
  return {static_cast<AtomicOp>(tag >> 16 & 0xfU), static_cast<ValueType>(tag >> 20 & 0x7U), tag >> 23 << 2, 0, 0};
}
/// The answer's result.
GPUIO_ANYWHERE constexpr DelegateResult result(std::uint64_t tag) { return static_cast<DelegateResult>(tag >> 16); }
}  // namespace tag

/// One queue of a ring.
class DelegateQueue {
 public:
  GPUIO_ANYWHERE DelegateQueue(const DelegateRing& ring, std::uint32_t queue)
      : requests_(ring.shared + std::uint64_t{3} * queue * ring.slots),
        own_(ring.own + kOwnLineBytes + queue * own_bytes(ring.slots)),
        slots_(ring.slots) {}

  /// Bytes in `own` for each queue.
  GPUIO_ANYWHERE static constexpr std::uint64_t own_bytes(std::uint32_t slots) {
    return kOwnLineBytes + std::uint64_t{slots} * sizeof(std::uint32_t);
  }

  /// @{
  /// What belongs to a slot.
  GPUIO_ANYWHERE TaggedWord* request(std::uint64_t slot) const { return requests_ + slot; }
  GPUIO_ANYWHERE TaggedWord* second(std::uint64_t slot) const { return requests_ + slots_ + slot; }
  GPUIO_ANYWHERE TaggedWord* answer(std::uint64_t slot) const { return requests_ + 2 * std::uint64_t{slots_} + slot; }
  GPUIO_ANYWHERE Atomic<std::uint32_t, Scope::device> turn(std::uint64_t slot) const {
    return Atomic<std::uint32_t, Scope::device>(reinterpret_cast<std::uint32_t*>(own_ + kOwnLineBytes)[slot]);
  }
  /// @}

  /// The next ticket.
  GPUIO_ANYWHERE Atomic<std::uint64_t, Scope::device> tickets() const {
    return Atomic<std::uint64_t, Scope::device>(*reinterpret_cast<std::uint64_t*>(own_));
  }

 private:
  TaggedWord* requests_;
  std::byte* own_;
  std::uint32_t slots_;
};

/// The callers' side: what kernels and host threads use.
class Delegate {
 public:
  GPUIO_ANYWHERE explicit Delegate(const DelegateRing& ring) : ring_(ring) {}  ///< Copies it; claims nothing.

  /// Has `request` done and waits for the answer. `order` is as of a native operation of scope `process`.
  GPUIO_ANYWHERE DelegateAnswer perform(const DelegateRequest& request, Order order = Order::acquire_release) const {
    const DelegateResult wrong = check(request);
    if (wrong != DelegateResult::done) return {wrong, 0};
    if (broken().load(Order::relaxed) != 0) return {DelegateResult::lost, 0};
    if (releases(order)) fence_for_host();

    const Companions together;
    const DelegateQueue queue(ring_, together.of_first(processor() % ring_.queues));
    const bool first = together.rank() == 0;
    const std::uint64_t taken = first ? queue.tickets().fetch_add(together.count(), Order::relaxed) : 0;
    const std::uint64_t ticket = together.of_first(taken) + together.rank();
    const DelegateAnswer answer = exchange(queue, ticket, request);
    if (acquires(order)) fence_for_host();
    return answer;
  }

  /// As perform, for the `index`-th of words that are all of type `T`; returns what the word was, 0 if it was not done.
  /// `result`, unless null, tells.
  template <class T>
    requires kIsWord<T>
  GPUIO_ANYWHERE T perform(AtomicOp op, std::uint64_t index, T operand, T expected = T{},
                           Order order = Order::acquire_release, DelegateResult* result = nullptr) const {
    const DelegateAnswer answer =
        index >= ring_.words_bytes / sizeof(T)
            ? DelegateAnswer{DelegateResult::out_of_range, 0}
            : perform({op, value_type<T>(), index * sizeof(T), to_bits(operand), to_bits(expected)}, order);
    if (result != nullptr) *result = answer.result;
    return from_bits<T>(answer.old);
  }

 private:
  GPUIO_ANYWHERE DelegateResult check(const DelegateRequest& request) const {
    if (!applies(request.op, request.type)) return DelegateResult::unsupported;
    const std::uint32_t bytes = bytes_of(request.type);
    if (request.offset % bytes != 0) return DelegateResult::misaligned;
    return request.offset > ring_.words_bytes || bytes > ring_.words_bytes - request.offset
               ? DelegateResult::out_of_range
               : DelegateResult::done;
  }

  GPUIO_ANYWHERE Atomic<std::uint32_t, Scope::device> broken() const {
    return Atomic<std::uint32_t, Scope::device>(*reinterpret_cast<std::uint32_t*>(ring_.own));
  }

  /// One way through the slot of `ticket`.
  GPUIO_ANYWHERE DelegateAnswer exchange(const DelegateQueue& queue, std::uint64_t ticket,
                                         const DelegateRequest& request) const {
    const std::uint64_t slot = ticket % ring_.slots;
    const std::uint64_t turn = ticket / ring_.slots;
    const std::uint64_t round = turn + 1;  // Slots start out as of round 0.
    const std::uint64_t deadline = clock_ns() + ring_.timeout_ns;
    const auto my_turn = [&] { return queue.turn(slot).load(Order::acquire) == static_cast<std::uint32_t>(turn); };
    if (!wait(deadline, my_turn)) return {DelegateResult::lost, 0};

    // The second operand first: who sees the request finds it.
    if (request.op == AtomicOp::compare_exchange) store_tagged(queue.second(slot), {request.expected, round});
    store_tagged(queue.request(slot), {request.operand, tag::of(request, round)});
    TaggedWord answer{};
    const auto answered = [&] {
      answer = load_tagged(queue.answer(slot));
      return tag::is_of(answer.tag, round);
    };
    if (!wait(deadline, answered)) return {DelegateResult::lost, 0};
    queue.turn(slot).store(static_cast<std::uint32_t>(round), Order::release);
    return {tag::result(answer.tag), answer.value};
  }

  /// False if the ring is broken, which giving up makes it.
  template <class Done>
  GPUIO_ANYWHERE bool wait(std::uint64_t deadline, const Done& done) const {
    constexpr unsigned kLooksPerClock = 64;
    for (unsigned looks = 0; !done(); ++looks) {
      pause(looks);
      if (looks % kLooksPerClock != kLooksPerClock - 1) continue;
      if (broken().load(Order::relaxed) == 0 && clock_ns() < deadline) continue;
      broken().store(1, Order::relaxed);
      return false;
    }
    return true;
  }

  DelegateRing ring_;
};

}  // namespace gpuio::dev
