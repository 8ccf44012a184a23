// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

namespace gpuio::core {

/// Many threads push, one takes all at once, in order of arrival. `T` has a member `T* next`. Lock-free, allocates nothing.
template <class T>
class Incoming {
 public:
  /// True if it was empty: the taker may be asleep.
  bool push(T& item) noexcept { return push_chain(item, item); }

  /// Pushes a list linked through `next` from `newest` down to `oldest`, as one.
  bool push_chain(T& newest, T& oldest) noexcept {
    T* head = head_.load(std::memory_order_relaxed);
    do {
      oldest.next = head;
    } while (!head_.compare_exchange_weak(head, &newest, std::memory_order_release, std::memory_order_relaxed));
    return head == nullptr;
  }

  [[nodiscard]] bool empty() const noexcept { return head_.load(std::memory_order_acquire) == nullptr; }

  /// Everything pushed so far, oldest first, linked through `next`.
  T* take_all() noexcept {
    T* item = head_.exchange(nullptr, std::memory_order_acquire);
    T* ordered = nullptr;
    while (item != nullptr) {
      T* following = item->next;
      item->next = ordered;
      ordered = item;
      item = following;
    }
    return ordered;
  }

 private:
  std::atomic<T*> head_{nullptr};
};

}  // namespace gpuio::core
