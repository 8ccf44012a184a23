// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cassert>
#include <cstddef>
#include <iterator>
#include <type_traits>

namespace gpuio::base {

/// What an element of an IntrusiveList inherits. `Tag` tells hooks apart where one object is in several lists.
template <class Tag = void>
class ListHook {
 public:
  ListHook() = default;
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;
  ~ListHook() { assert(!is_linked() && "destroyed while in a list"); }

  [[nodiscard]] bool is_linked() const noexcept { return next_ != nullptr; }

 private:
  template <class, class>
  friend class IntrusiveList;
  ListHook* previous_ = nullptr;
  ListHook* next_ = nullptr;
};

/// A doubly linked list of objects that it does not own: linking allocates nothing, and an element is taken out from
/// anywhere in constant time. Thread safety: none.
template <class T, class Tag = void>
class IntrusiveList {
  using Hook = ListHook<Tag>;

 public:
  class iterator {
   public:
    using iterator_category = std::bidirectional_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = T*;
    using reference = T&;

    iterator() = default;
    T& operator*() const noexcept { return static_cast<T&>(*hook_); }
    T* operator->() const noexcept { return &**this; }
    iterator& operator++() noexcept { return hook_ = hook_->next_, *this; }
    iterator& operator--() noexcept { return hook_ = hook_->previous_, *this; }
    iterator operator++(int) noexcept {
      const iterator old = *this;
      ++*this;
      return old;
    }
    iterator operator--(int) noexcept {
      const iterator old = *this;
      --*this;
      return old;
    }
    friend bool operator==(const iterator&, const iterator&) = default;

   private:
    friend class IntrusiveList;
    explicit iterator(Hook* hook) noexcept : hook_(hook) {}
    Hook* hook_ = nullptr;
  };

  IntrusiveList() noexcept { end_.previous_ = end_.next_ = &end_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    static_assert(std::is_base_of_v<Hook, T>);
    clear();
    end_.previous_ = end_.next_ = nullptr;
  }

  [[nodiscard]] bool empty() const noexcept { return end_.next_ == &end_; }
  [[nodiscard]] T& front() noexcept { return assert(!empty()), static_cast<T&>(*end_.next_); }
  [[nodiscard]] T& back() noexcept { return assert(!empty()), static_cast<T&>(*end_.previous_); }
  [[nodiscard]] iterator begin() noexcept { return iterator(end_.next_); }
  [[nodiscard]] iterator end() noexcept { return iterator(&end_); }

  /// `element` must not be in a list of this tag.
  void push_back(T& element) noexcept { link(element, end_); }
  void push_front(T& element) noexcept { link(element, *end_.next_); }
  void insert_before(iterator position, T& element) noexcept { link(element, *position.hook_); }

  /// `element` must be in this list. Returns what followed it.
  iterator erase(T& element) noexcept {
    Hook& hook = element;
    assert(hook.is_linked());
    Hook* next = hook.next_;
    hook.previous_->next_ = next;
    next->previous_ = hook.previous_;
    hook.previous_ = hook.next_ = nullptr;
    return iterator(next);
  }

  T& pop_front() noexcept {
    T& element = front();
    erase(element);
    return element;
  }

  void clear() noexcept {
    while (!empty()) pop_front();
  }

 private:
  void link(Hook& hook, Hook& next) noexcept {
    assert(!hook.is_linked() && "already in a list");
    hook.previous_ = next.previous_;
    hook.next_ = &next;
    next.previous_->next_ = &hook;
    next.previous_ = &hook;
  }

  Hook end_;
};

}  // namespace gpuio::base
