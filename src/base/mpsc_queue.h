// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

namespace gpuio::base {

/// A bounded queue of values from any number of threads to one, without locks: each cell's turn number says whether it
/// is free for the push or full for the pop that reaches it (D. Vyukov's bounded queue). Full pushes back.
template <class T>
class MpscQueue {
 public:
  /// `capacity` is rounded up to a power of two, at least 2.
  explicit MpscQueue(std::size_t capacity)
      : mask_(std::bit_ceil(capacity < 2 ? std::size_t{2} : capacity) - 1),
        cells_(std::make_unique<Cell[]>(mask_ + 1)) {
    for (std::size_t i = 0; i <= mask_; ++i) cells_[i].turn.store(i, std::memory_order_relaxed);
  }

  [[nodiscard]] std::size_t capacity() const noexcept { return mask_ + 1; }

  /// Any thread. False, and `value` untouched, if the queue is full.
  [[nodiscard]] bool try_push(T&& value) noexcept {
    std::size_t position = tail_.load(std::memory_order_relaxed);
    while (true) {
      Cell& cell = cells_[position & mask_];
      const std::size_t turn = cell.turn.load(std::memory_order_acquire);
      if (turn == position) {
        if (tail_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
          cell.value = std::move(value);
          cell.turn.store(position + 1, std::memory_order_release);
          return true;
        }
      } else if (turn + mask_ == position) {
        return false;
      } else {
        position = tail_.load(std::memory_order_relaxed);
      }
    }
  }

  /// Consumer. Empty if there is nothing, or the oldest push has not finished.
  [[nodiscard]] std::optional<T> try_pop() noexcept {
    Cell& cell = cells_[head_ & mask_];
    if (cell.turn.load(std::memory_order_acquire) != head_ + 1) return std::nullopt;
    std::optional<T> value(std::move(cell.value));
    cell.value = T();
    cell.turn.store(head_ + mask_ + 1, std::memory_order_release);
    ++head_;
    return value;
  }

 private:
  static constexpr std::size_t kCacheLineBytes = 64;

  struct Cell {
    std::atomic<std::size_t> turn;
    T value{};
  };

  const std::size_t mask_;
  const std::unique_ptr<Cell[]> cells_;
  alignas(kCacheLineBytes) std::atomic<std::size_t> tail_{0};  ///< The producers'.
  alignas(kCacheLineBytes) std::size_t head_ = 0;              ///< The consumer's.
};

}  // namespace gpuio::base
