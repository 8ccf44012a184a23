// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "gpuio/dev/exec.h"

/// Atomic operations on words that others share, in host code and in kernels.
///
/// A scope says among whom an operation is atomic; Slice::atomics says whether that is legal for given memory, and
/// delegate.h is for where it is not. All operations on one word at one time must be of scopes that reach each other.
namespace gpuio::dev {

/// Bytes of a word of that type.
GPUIO_ANYWHERE constexpr std::uint32_t bytes_of(ValueType type) {
  return type == ValueType::i32 || type == ValueType::u32 || type == ValueType::f32 ? 4 : 8;
}

/// Whether a word of that type can have that done to it.
GPUIO_ANYWHERE constexpr bool applies(AtomicOp op, ValueType type) {
  const bool integral = type != ValueType::f32 && type != ValueType::f64;
  const bool any =
      op == AtomicOp::add || op == AtomicOp::subtract || op == AtomicOp::exchange || op == AtomicOp::compare_exchange;
  return any || (integral && op < AtomicOp::exchange);
}

/// The types that words can be of: integers and floating-point numbers of 32 and 64 bits.
template <class T>
inline constexpr bool kIsWord = std::is_arithmetic_v<T> && !std::is_const_v<T> && (sizeof(T) == 4 || sizeof(T) == 8);

/// The ValueType of a type.
template <class T>
  requires kIsWord<T>
GPUIO_ANYWHERE constexpr ValueType value_type() {
  if constexpr (std::is_floating_point_v<T>) return sizeof(T) == 4 ? ValueType::f32 : ValueType::f64;
  if constexpr (std::is_signed_v<T>) return sizeof(T) == 4 ? ValueType::i32 : ValueType::i64;
  return sizeof(T) == 4 ? ValueType::u32 : ValueType::u64;
}

/// Whether a library's atomic reference has minimum and maximum: C++20's has not.
template <class Reference, class T>
concept HasExtremes = requires(const Reference& reference, T value) {
  reference.fetch_min(value, native(Order::relaxed));
  reference.fetch_max(value, native(Order::relaxed));
};

/// A word's bits, in the low ones of 64.
template <class T>
GPUIO_ANYWHERE std::uint64_t to_bits(T value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

/// The word of these bits.
template <class T>
GPUIO_ANYWHERE T from_bits(std::uint64_t bits) {
  T value{};
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// A word as others may change it at the same time. Refers to it, and is as cheap as a pointer.
///
/// Lock-free always: no operation but those of the processor, and where it has none a loop of compare-exchange. The
/// word must be aligned to its size. Every operation returns what the word was. Orders are C++'s: no `release` for a
/// load, no `acquire` for a store.
template <class T, Scope kScope = Scope::process>
  requires kIsWord<T>
class Atomic {
 public:
  GPUIO_ANYWHERE explicit Atomic(T& word) : word_(&word) {}  ///< Does nothing to the word.

  /// The word as it is.
  GPUIO_ANYWHERE T load(Order order = Order::acquire) const { return reference().load(native(order)); }
  /// Overwrites the word.
  GPUIO_ANYWHERE void store(T value, Order order = Order::release) const { reference().store(value, native(order)); }

  /// Adds; integers wrap.
  GPUIO_ANYWHERE T fetch_add(T value, Order order = Order::acquire_release) const {
    return dev::fetch_add<kScope>(*word_, value, order);
  }
  /// Subtracts; integers wrap.
  GPUIO_ANYWHERE T fetch_sub(T value, Order order = Order::acquire_release) const {
    return reference().fetch_sub(value, native(order));
  }

  /// Leaves the smaller of the two.
  GPUIO_ANYWHERE T fetch_min(T value, Order order = Order::acquire_release) const
    requires std::is_integral_v<T>
  {
    if constexpr (HasExtremes<AtomicRef<T, kScope>, T>) {
      return reference().fetch_min(value, native(order));
    } else {
      return replace_while(value, order, [value](T present) { return value < present; });
    }
  }
  /// Leaves the larger of the two.
  GPUIO_ANYWHERE T fetch_max(T value, Order order = Order::acquire_release) const
    requires std::is_integral_v<T>
  {
    if constexpr (HasExtremes<AtomicRef<T, kScope>, T>) {
      return reference().fetch_max(value, native(order));
    } else {
      return replace_while(value, order, [value](T present) { return present < value; });
    }
  }

  /// Leaves the bits that both have.
  GPUIO_ANYWHERE T fetch_and(T value, Order order = Order::acquire_release) const
    requires std::is_integral_v<T>
  {
    return reference().fetch_and(value, native(order));
  }
  /// Leaves the bits that either has.
  GPUIO_ANYWHERE T fetch_or(T value, Order order = Order::acquire_release) const
    requires std::is_integral_v<T>
  {
    return reference().fetch_or(value, native(order));
  }
  /// Leaves the bits that one of them has.
  GPUIO_ANYWHERE T fetch_xor(T value, Order order = Order::acquire_release) const
    requires std::is_integral_v<T>
  {
    return reference().fetch_xor(value, native(order));
  }

  /// Overwrites the word.
  GPUIO_ANYWHERE T exchange(T value, Order order = Order::acquire_release) const {
    return reference().exchange(value, native(order));
  }

  /// Stores `desired` if the word has the bits of `expected`, and says whether it did; otherwise `expected` becomes
  /// what the word is.
  GPUIO_ANYWHERE bool compare_exchange(T& expected, T desired, Order order = Order::acquire_release) const {
    const Order if_not = order == Order::acquire_release ? Order::acquire
                         : order == Order::release       ? Order::relaxed
                                                         : order;
    return reference().compare_exchange_strong(expected, desired, native(order), native(if_not));
  }

 private:
  GPUIO_ANYWHERE AtomicRef<T, kScope> reference() const { return AtomicRef<T, kScope>(*word_); }

  template <class Wanted>
  GPUIO_ANYWHERE T replace_while(T value, Order order, const Wanted& wanted) const {
    T present = load(Order::relaxed);
    for (;;) {
      // A word that stays as it is is written all the same, so that the order holds as for any other operation.
      const T next = wanted(present) ? value : present;
      if (compare_exchange(present, next, order)) return present;
    }
  }

  T* word_;
};

/// Does to `word` what `op` says and returns what it was. `expected` is for compare_exchange alone. An operation that
/// does not apply to the type (see applies) leaves the word as it is.
template <Scope kScope, class T>
GPUIO_ANYWHERE T apply(AtomicOp op, T& word, T operand, T expected, Order order) {
  const Atomic<T, kScope> atomic(word);
  if constexpr (std::is_integral_v<T>) {
    switch (op) {
      case AtomicOp::minimum:
        return atomic.fetch_min(operand, order);
      case AtomicOp::maximum:
        return atomic.fetch_max(operand, order);
      case AtomicOp::bit_and:
        return atomic.fetch_and(operand, order);
      case AtomicOp::bit_or:
        return atomic.fetch_or(operand, order);
      case AtomicOp::bit_xor:
        return atomic.fetch_xor(operand, order);
      default:
        break;
    }
  }
  switch (op) {
    case AtomicOp::add:
      return atomic.fetch_add(operand, order);
    case AtomicOp::subtract:
      return atomic.fetch_sub(operand, order);
    case AtomicOp::exchange:
      return atomic.exchange(operand, order);
    case AtomicOp::compare_exchange:
      atomic.compare_exchange(expected, operand, order);
      return expected;
    default:
      return atomic.load(Order::relaxed);
  }
}

}  // namespace gpuio::dev
