// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

namespace gpuio::base {

/// Hands objects from any thread to one: unbounded, without locks or allocation, linked through the member `T* next`.
/// The consumer takes all that is there at once, so there is no ABA problem and one atomic operation per batch.
template <class T>
class MpscList {
 public:
  /// Any thread. True if the list was empty before: the one push that has to wake the consumer.
  bool push(T& element) noexcept { return push_chain(element, element); }

  /// Any thread. Adds `first` ... `last`, linked by `next` in their order, as one: nothing comes between them.
  bool push_chain(T& first, T& last) noexcept {
    // Newest first in memory; turned round when taken.
    T* reversed = nullptr;
    T* element = &first;
    while (true) {
      T* following = element == &last ? nullptr : element->next;
      element->next = reversed;
      reversed = element;
      if (following == nullptr) break;
      element = following;
    }
    T* head = head_.load(std::memory_order_relaxed);
    do {
      first.next = head;
    } while (!head_.compare_exchange_weak(head, reversed, std::memory_order_release, std::memory_order_relaxed));
    return head == nullptr;
  }

  /// Consumer. All elements, oldest first, linked by `next`; null if there are none.
  [[nodiscard]] T* take_all() noexcept {
    if (empty()) return nullptr;
    T* newest = head_.exchange(nullptr, std::memory_order_acquire);
    T* oldest = nullptr;
    while (newest != nullptr) {
      T* older = newest->next;
      newest->next = oldest;
      oldest = newest;
      newest = older;
    }
    return oldest;
  }

  [[nodiscard]] bool empty() const noexcept { return head_.load(std::memory_order_relaxed) == nullptr; }

 private:
  std::atomic<T*> head_{nullptr};
};

}  // namespace gpuio::base
