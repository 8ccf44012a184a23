// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>

#include "gpuio/result.hpp"

namespace gpuio::core {

/// Keeps loads and stores in a mapping from killing the process when the bytes behind it are gone: the file was cut,
/// its disk failed, its file system is full, its memory is broken. The kernel says so by SIGBUS; the one handler of
/// this process puts a page of zeros where the fault was, marks the guard and lets the instruction run again. Whoever
/// guards asks `was_hit` before it believes what it read.
///
/// The handler is installed with the first guard and stays. What lies in no guard goes to the handler that was there
/// before. A program that installs its own later is to hand on to ours, as we do to its predecessor.
///
/// Movable, not copyable. Thread safety: `was_hit` from any thread; the rest as an int.
class SigbusGuard {
 public:
  /// Guards [base, base + bytes), which overlaps no other guard. `page_bytes` is the unit of the mapping, base a
  /// multiple of it. Fails with `out_of_memory` or the system's error where the handler can't be installed.
  static Result<SigbusGuard> protect(std::byte* base, std::size_t bytes, std::size_t page_bytes, bool writable);

  SigbusGuard() = default;
  SigbusGuard(SigbusGuard&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  SigbusGuard& operator=(SigbusGuard&& other) noexcept {
    std::swap(slot_, other.slot_);
    return *this;
  }
  /// When it returns, no handler on any thread works in the range any more.
  ~SigbusGuard();

  /// The guarded range is `bytes` long from now on.
  void resize(std::size_t bytes) noexcept;

  /// True once a page was replaced, for good: who wants the bytes of a store that has them again maps it anew.
  [[nodiscard]] bool was_hit() const noexcept;

  struct Slot;  ///< What the handler sees of a guard.

 private:
  explicit SigbusGuard(Slot* slot) noexcept : slot_(slot) {}

  Slot* slot_ = nullptr;
};

}  // namespace gpuio::core
