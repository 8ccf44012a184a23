// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cassert>
#include <concepts>
#include <limits>
#include <optional>

// Arithmetic on sizes and offsets. `alignment` is always a power of two.
namespace gpuio::base {

template <std::unsigned_integral T>
constexpr bool is_aligned(T value, T alignment) noexcept {
  assert(std::has_single_bit(alignment));
  return (value & (alignment - 1)) == 0;
}

template <std::unsigned_integral T>
constexpr T align_down(T value, T alignment) noexcept {
  assert(std::has_single_bit(alignment));
  return static_cast<T>(value & ~(alignment - 1));
}

/// Requires that the result fits; use checked_align_up for numbers from outside.
template <std::unsigned_integral T>
constexpr T align_up(T value, T alignment) noexcept {
  assert(value <= static_cast<T>(std::numeric_limits<T>::max() - (alignment - 1)));
  return align_down(static_cast<T>(value + (alignment - 1)), alignment);
}

/// Empty where the result does not fit.
template <std::integral T>
constexpr std::optional<T> checked_add(T a, T b) noexcept {
  T sum{};
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

template <std::integral T>
constexpr std::optional<T> checked_multiply(T a, T b) noexcept {
  T product{};
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

template <std::unsigned_integral T>
constexpr std::optional<T> checked_align_up(T value, T alignment) noexcept {
  const std::optional<T> raised = checked_add(value, static_cast<T>(alignment - 1));
  if (!raised) return std::nullopt;
  return align_down(*raised, alignment);
}

/// The largest T instead of an overflow: for deadlines, where "never" is the largest time.
template <std::unsigned_integral T>
constexpr T saturating_add(T a, T b) noexcept {
  return checked_add(a, b).value_or(std::numeric_limits<T>::max());
}

/// Quotient rounded up; `divisor` is not 0.
template <std::unsigned_integral T>
constexpr T divide_up(T value, T divisor) noexcept {
  return static_cast<T>(value / divisor + (value % divisor != 0 ? 1 : 0));
}

}  // namespace gpuio::base
