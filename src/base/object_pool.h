// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sanitizer/asan_interface.h>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace gpuio::base {

/// Makes and destroys objects in memory that it keeps: once it has grown to the most that lived at once, `create` and
/// `destroy` allocate nothing. Addresses are stable. Memory goes back to the system with the pool, which must outlive
/// its objects; AddressSanitizer sees uses after `destroy`.
///
/// Thread safety: all members, any thread; constructors and destructors of T run outside the lock.
template <class T>
class ObjectPool {
 public:
  ObjectPool() = default;
  ObjectPool(const ObjectPool&) = delete;
  ObjectPool& operator=(const ObjectPool&) = delete;
  ~ObjectPool() {
    assert(free_.size() == slot_count_ && "objects outlive their pool");
    for (const Chunk& chunk : chunks_) ASAN_UNPOISON_MEMORY_REGION(chunk.slots.get(), chunk.size * sizeof(Slot));
  }

  /// Never null; throws what T's constructor or a failed allocation throws, and then nothing has changed.
  template <class... Arguments>
  [[nodiscard]] T* create(Arguments&&... arguments) {
    Slot* slot = take();
    try {
      return ::new (slot->storage) T(std::forward<Arguments>(arguments)...);
    } catch (...) {
      put(slot);
      throw;
    }
  }

  void destroy(T* object) noexcept {
    object->~T();
    put(reinterpret_cast<Slot*>(object));
  }

  /// Objects that fit without allocating again, living ones included.
  [[nodiscard]] std::size_t capacity() const {
    const std::lock_guard lock(mutex_);
    return slot_count_;
  }

 private:
  struct Slot {
    alignas(T) std::byte storage[sizeof(T)];
  };
  struct Chunk {
    std::unique_ptr<Slot[]> slots;
    std::size_t size;
  };
  static constexpr std::size_t kChunkFirst = 16;
  static constexpr std::size_t kChunkMax = 1024;

  Slot* take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) grow();
    Slot* slot = free_.back();
    free_.pop_back();
    ASAN_UNPOISON_MEMORY_REGION(slot, sizeof(Slot));
    return slot;
  }

  void put(Slot* slot) noexcept {
    const std::lock_guard lock(mutex_);
    ASAN_POISON_MEMORY_REGION(slot, sizeof(Slot));
    free_.push_back(slot);  // grow() reserved room for every slot.
  }

  void grow() {
    const std::size_t size = std::clamp(slot_count_, kChunkFirst, kChunkMax);
    chunks_.reserve(chunks_.size() + 1);
    free_.reserve(slot_count_ + size);
    chunks_.push_back({std::make_unique_for_overwrite<Slot[]>(size), size});
    slot_count_ += size;
    // Lowest address last: it is taken first.
    for (std::size_t i = size; i-- > 0;) free_.push_back(&chunks_.back().slots[i]);
    ASAN_POISON_MEMORY_REGION(chunks_.back().slots.get(), size * sizeof(Slot));
  }

  mutable std::mutex mutex_;
  std::vector<Chunk> chunks_;
  std::vector<Slot*> free_;
  std::size_t slot_count_ = 0;
};

}  // namespace gpuio::base
