// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/checksum.h"
#include "core/view/cache_lines.h"
#include "engine/mem/pool/format.h"

// How the pool's code reaches the shared memory: a template policy, so that the code that runs on the simulator's stale
// lines (testing/simulated_memory.h) is the code that runs on real ones.
//
//   load, store            one word, as an atomic of 8 bytes without order
//   copy_in, copy_out      many bytes, in any order
//   flush<"a.b.flush">     starts to write lines back; done after the next fence
//   fence<"...">           earlier flushes are done, earlier stores are seen, before any later load or store
//   invalidate<"...">      later loads are to see the memory; certain after the next load_fence or fence
//   load_fence<"...">      ... and earlier loads come before later ones
//
// Each use of the last four has a name of its own. The simulator collects the names, and leaves out one after the other
// to see that the tests notice.
namespace gpuio::pool {

/// A string as a template argument.
template <std::size_t N>
struct SiteName {
  char text[N];  // NOLINT(modernize-avoid-c-arrays): an argument of a template has to be structural.
  consteval SiteName(const char (&name)[N]) noexcept { std::copy_n(name, N, text); }  // NOLINT
};

/// Real memory. `kCoherent`: the hardware does what flush and invalidate ask for, so that only order is left to do.
template <bool kCoherent>
class MemoryAccess {
 public:
  explicit MemoryAccess(std::byte* base) noexcept : base_(base) {}

  [[nodiscard]] std::uint64_t load(std::uint64_t offset) const noexcept {
    return std::atomic_ref(word(offset)).load(std::memory_order_acquire);
  }
  void store(std::uint64_t offset, std::uint64_t value) noexcept {
    std::atomic_ref(word(offset)).store(value, std::memory_order_release);
  }
  void copy_in(std::uint64_t offset, std::span<const std::byte> bytes) noexcept {
    if (!bytes.empty()) std::memcpy(base_ + offset, bytes.data(), bytes.size());
  }
  void copy_out(std::uint64_t offset, std::span<std::byte> bytes) const noexcept {
    if (!bytes.empty()) std::memcpy(bytes.data(), base_ + offset, bytes.size());
  }
  [[nodiscard]] std::uint32_t checksum(std::uint64_t offset, std::uint64_t bytes) const noexcept {
    return base::crc32c({base_ + offset, bytes});
  }
  /// Of bytes that were copied out.
  [[nodiscard]] static std::uint32_t checksum(std::span<const std::byte> bytes) noexcept { return base::crc32c(bytes); }
  /// For writing in place, and for reading without a copy.
  [[nodiscard]] std::byte* address(std::uint64_t offset) const noexcept { return base_ + offset; }

  template <SiteName>
  void flush(std::uint64_t offset, std::uint64_t bytes) noexcept {
    if constexpr (!kCoherent) core::start_write_back(base_ + offset, bytes);
  }
  template <SiteName>
  void invalidate(std::uint64_t offset, std::uint64_t bytes) noexcept {
    if constexpr (!kCoherent) core::start_drop(base_ + offset, bytes);
  }
  template <SiteName>
  void fence() noexcept {
    core::full_fence();
  }
  template <SiteName>
  void load_fence() noexcept {
    // Loads of words acquire; this one is for bytes that were copied before.
    if constexpr (kCoherent) {
      core::order_loads();
    } else {
      core::full_fence();
    }
  }

 private:
  [[nodiscard]] std::uint64_t& word(std::uint64_t offset) const noexcept {
    return *reinterpret_cast<std::uint64_t*>(base_ + offset);
  }
  std::byte* base_;
};

template <class Access>
[[nodiscard]] Line load_line(const Access& access, std::uint64_t offset) {
  Line line{};
  for (std::size_t i = 0; i < kLineWords; ++i) line[i] = access.load(offset + i * kWordBytes);
  return line;
}

/// From the first word to the last, which has the checksum.
template <class Access>
void store_line(Access& access, std::uint64_t offset, const Line& line) {
  for (std::size_t i = 0; i < kLineWords; ++i) access.store(offset + i * kWordBytes, line[i]);
}

}  // namespace gpuio::pool
