// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "gpuio/statistics.hpp"

namespace gpuio::core {

/// Numbered as core::Operation where that has the word.
enum class CountedOperation : std::uint8_t { read, write, copy, flush, launch };
inline constexpr std::size_t kCountedOperations = 5;

/// A Context's statistics: each thread counts in a shard of its own, reading sums them.
///
/// Thread safety: all members, any thread.
class Counters {
 public:
  static constexpr std::size_t kTiersMax = 8;     ///< With the one for what did not fit.
  static constexpr std::size_t kDevicesMax = 32;  ///< Likewise.

  Counters();
  ~Counters();
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;

  /// A number for the name, the same one each time. Names beyond the limit share the last number, called "other".
  [[nodiscard]] std::uint16_t tier_id(std::string_view name);
  [[nodiscard]] std::uint16_t device_id(std::string_view name);

  /// Some 20 ns; allocates when a thread first meets a combination.
  void record(CountedOperation operation, std::uint16_t tier, std::uint16_t device, std::uint64_t bytes,
              std::uint64_t latency_ns, bool failed) noexcept;

  /// Sums of what engines and the scheduler count; rarely touched, so not sharded.
  std::atomic<std::uint64_t> slab_waits{0};
  std::atomic<std::uint64_t> retries{0};
  std::atomic<std::uint64_t> short_transfers{0};
  std::atomic<std::uint64_t> coalesced{0};
  std::atomic<std::uint64_t> runs{0};
  std::atomic<std::uint64_t> requests_outstanding{0};

  /// All of the above. What others know is theirs to fill in: pinned, registered and quarantined bytes.
  [[nodiscard]] Statistics read() const;

 private:
  struct Shard;

  static constexpr std::size_t kShards = 64;

  Shard* shard() noexcept;

  std::array<std::atomic<Shard*>, kShards> shards_{};
  mutable std::mutex names_mutex_;
  std::vector<std::string> tiers_;
  std::vector<std::string> devices_;
};

}  // namespace gpuio::core
