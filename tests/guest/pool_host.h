// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gpuio/context.hpp"
#include "gpuio/pool.hpp"

/// One of two hosts on a pool: what it publishes, and how it waits for the other.
namespace gpuio::guest {

/// Of each host. Both together publish and read 10^5.
inline constexpr std::uint32_t kObjectsOfEach = 50'000;

/// The bytes of an object follow from its name, so whoever finds it knows what it must read.
struct PublishedObject {
  std::uint32_t rank = 0;
  std::uint32_t number = 0;

  [[nodiscard]] std::string name() const;
  [[nodiscard]] std::vector<std::byte> bytes() const;
};

/// Memory that both hosts see, as the lane names it, and the pool on it.
class PoolHost {
 public:
  PoolHost();

  /// This host's rank, and the other's.
  [[nodiscard]] std::uint32_t rank() const { return rank_; }
  [[nodiscard]] std::uint32_t peer() const { return 1 - rank_; }
  /// What the memory is: if hosts' caches are not kept coherent, the pool has to flush.
  [[nodiscard]] static bool coherent();

  [[nodiscard]] Result<Pool> create() const;
  [[nodiscard]] Result<Pool> open() const { return Pool::open(memory_); }
  /// As the rank that this host had when it was switched off. Waits until its lease has run out, or, where the lane
  /// says that the host is known to be off, for nothing.
  [[nodiscard]] Result<PoolMember> rejoin(const Pool& pool) const;

 private:
  std::uint32_t rank_;
  Context context_;
  Store store_;
  Buffer memory_;
};

/// True if the pool has that object, and it is what it must be. Fails the test if it is anything else.
[[nodiscard]] bool read_if_there(const Pool& pool, const PublishedObject& object);

/// A pause in asking for what the other host is about to do: no event crosses between them. Fails the test, and
/// returns false, once nothing has come of it for minutes.
class Patience {
 public:
  [[nodiscard]] bool wait(PoolMember& member);
  void progress() { since_ = std::chrono::steady_clock::now(); }

 private:
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

}  // namespace gpuio::guest
