// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "gpuio/dev/atomics.h"

/// Typed loads and stores on a Region, in host code and in kernels. Views are made by gpuio::view (view.hpp).
namespace gpuio::dev {

/// Whether a View checks bounds, who may use it where, and that its Pin still lives.
enum class Checks : bool { off, on };

/// What this translation unit's Views do: check in debug builds, cost nothing in release builds. A function that is
/// called from units compiled otherwise names the Checks of the Views that it takes.
#if defined(NDEBUG)
inline constexpr Checks kChecks = Checks::off;
#else
inline constexpr Checks kChecks = Checks::on;
#endif

/// What a View is made from.
struct ViewSource {
  void* data = nullptr;                       ///< The first byte.
  std::uint64_t bytes = 0;                    ///< From there on.
  const std::uint64_t* generation = nullptr;  ///< A word of host memory that stays readable for ever, and
  std::uint64_t made_in = 0;                  ///< what it is while the Pin lives.
  bool host = true;                           ///< Whether host code may load and store there.
  bool coherent = true;                       ///< Whether others' stores are seen without acquire and release.
};

/// Part of a View as plain memory: what a std::span is, in kernels too. A std::span can be made of it.
template <class T>
class Span {
 public:
  Span() = default;
  GPUIO_ANYWHERE Span(T* data, std::uint64_t size) : data_(data), size_(size) {}  ///< `size` elements.

  GPUIO_ANYWHERE T* data() const { return data_; }                          ///< The first.
  GPUIO_ANYWHERE std::size_t size() const { return size_; }                 ///< How many.
  GPUIO_ANYWHERE T* begin() const { return data_; }                         ///< For loops over all.
  GPUIO_ANYWHERE T* end() const { return data_ + size_; }                   ///< For loops over all.
  GPUIO_ANYWHERE T& operator[](std::uint64_t i) const { return data_[i]; }  ///< Never checked.

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

#if !defined(__CUDA_ARCH__)
/// Writes the cache lines of these bytes back to memory, and returns when they are there. Other lines' owners are not
/// disturbed. Nothing on a processor without such an instruction: Device::wrap refuses incoherent memory there.
void write_back(const void* data, std::uint64_t bytes) noexcept;
/// As write_back, and drops the lines, so that the next load comes from memory.
void drop(const void* data, std::uint64_t bytes) noexcept;
#endif

/// A Region, or part of one, as elements of `T`: load, store, atomics. Copyable; goes to kernels by value.
///
/// Valid while the Pin lives that it was made of, and only on the processors that may load and store its memory
/// (Ability::host_load_store, Ability::device_load_store). With Checks::on, an index outside, a View whose Pin is gone
/// and host code on an accelerator's memory end the program (a kernel: with a trap) and say why; kernels don't see
/// whether the Pin is gone. With Checks::off none of that is looked at and an access costs what it does through a
/// pointer.
///
/// load and store are plain: what several threads touch at once goes through `atomic`. Thread safety: as a pointer.
template <class T, Checks kMode = kChecks>
class View {
 public:
  static_assert(std::is_trivially_copyable_v<T>, "bytes are all that there is of an element");
  using Element = T;                     ///< May be const.
  using Value = std::remove_const_t<T>;  ///< What load returns.

  View() = default;

  /// For gpuio::view, which checks that the bytes suit `T`.
  GPUIO_ANYWHERE explicit View(const ViewSource& source)
      : data_(static_cast<T*>(source.data)),
        size_(source.bytes / sizeof(T)),
        generation_(source.generation),
        made_in_(source.made_in),
        host_(source.host),
        coherent_(source.coherent) {}

  /// A read-only View of a writable one, and a View with other Checks.
  template <class Other, Checks kOther>
    requires(std::is_same_v<Other, T> || std::is_same_v<const Other, T>)
  // NOLINTNEXTLINE(google-explicit-constructor)
  GPUIO_ANYWHERE View(const View<Other, kOther>& other)
      : data_(other.data_),
        size_(other.size_),
        generation_(other.generation_),
        made_in_(other.made_in_),
        host_(other.host_),
        coherent_(other.coherent_) {}

  GPUIO_ANYWHERE std::uint64_t size() const { return size_; }  ///< In elements.
  GPUIO_ANYWHERE bool coherent() const { return coherent_; }   ///< Whether acquire, release and flush are needed.

  /// The element at `i`.
  GPUIO_ANYWHERE Value load(std::uint64_t i) const {
    check(i, 1);
    return data_[i];
  }
  /// Overwrites the element at `i`.
  GPUIO_ANYWHERE void store(std::uint64_t i, const Value& value) const
    requires(!std::is_const_v<T>)
  {
    check(i, 1);
    data_[i] = value;
  }

  /// `count` elements from `first` on, checked once.
  GPUIO_ANYWHERE Span<T> span(std::uint64_t first, std::uint64_t count) const {
    check(first, count);
    return {data_ + first, count};
  }
  /// All elements.
  GPUIO_ANYWHERE Span<T> span() const { return span(0, size_); }

  /// `count` elements from `first` on, as a View.
  GPUIO_ANYWHERE View part(std::uint64_t first, std::uint64_t count) const {
    check(first, count);
    View part = *this;
    part.data_ = data_ + first;
    part.size_ = count;
    return part;
  }

  /// The word at `i`, for atomic operations of that scope; Slice::atomics says which are legal.
  template <Scope kScope = Scope::process>
  GPUIO_ANYWHERE Atomic<T, kScope> atomic(std::uint64_t i) const
    requires kIsWord<T>
  {
    check(i, 1);
    return Atomic<T, kScope>(data_[i]);
  }

  /// Makes later loads of these elements see what others have released. Order comes from an atomic operation or a
  /// message that said so; this is about bytes that a cache would hide. Costs nothing where memory is coherent;
  /// elsewhere it drops the elements' cache lines, at some 100 ns and a miss each. The lines must not hold stores of
  /// this processor that were not released.
  GPUIO_ANYWHERE void acquire(std::uint64_t first, std::uint64_t count) const {
    check(first, count);
    if (!coherent_) synchronize(first, count, true);
  }
  /// Makes what was stored to these elements reach memory, where others' acquire finds it. Before the atomic store or
  /// the message that says so. Costs nothing where memory is coherent. A kernel's release brings its stores to the
  /// host's coherence domain; from there the host releases them once the kernel has ended.
  GPUIO_ANYWHERE void release(std::uint64_t first, std::uint64_t count) const {
    check(first, count);
    if (!coherent_) synchronize(first, count, false);
  }
  /// Both: the elements are in memory and in no cache of this processor.
  GPUIO_ANYWHERE void flush(std::uint64_t first, std::uint64_t count) const { acquire(first, count); }

 private:
  template <class, Checks>
  friend class View;

  GPUIO_ANYWHERE void check([[maybe_unused]] std::uint64_t first, [[maybe_unused]] std::uint64_t count) const {
    if constexpr (kMode == Checks::on) {
      if (first > size_ || count > size_ - first)
        fail("View: element outside", first + (count > 0 ? count - 1 : 0), size_);
#if !defined(__CUDA_ARCH__)
      if (!host_) fail("View: an accelerator's memory, used by host code", first, size_);
      const std::uint64_t now = generation_ == nullptr ? made_in_ : generation_now();
      if (now != made_in_) fail("View: its Pin is gone, generation", now, made_in_);
#endif
    }
  }
  GPUIO_ANYWHERE std::uint64_t generation_now() const {
    return AtomicRef<std::uint64_t, Scope::process>(*const_cast<std::uint64_t*>(generation_))
        .load(native(Order::relaxed));
  }

  GPUIO_ANYWHERE void synchronize(std::uint64_t first, std::uint64_t count, bool dropping) const {
#if defined(__CUDA_ARCH__)
    fence_for_host();
#else
    if (dropping) {
      drop(data_ + first, count * sizeof(T));
    } else {
      write_back(data_ + first, count * sizeof(T));
    }
#endif
  }

  T* data_ = nullptr;
  std::uint64_t size_ = 0;
  const std::uint64_t* generation_ = nullptr;
  std::uint64_t made_in_ = 0;
  bool host_ = true;
  bool coherent_ = true;
};

}  // namespace gpuio::dev

/// \cond
// So that a std::span can be made of what View::span returns.
template <class T>
// NOLINTNEXTLINE(readability-identifier-naming): the standard's name
inline constexpr bool std::ranges::enable_borrowed_range<gpuio::dev::Span<T>> = true;
/// \endcond
