// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "gpuio/statistics.hpp"

namespace gpuio::core {

/// Numbered as core::Operation where that has the word.
enum class CountedOperation : std::uint8_t { read, write, copy, fill, flush, launch };
inline constexpr std::size_t kCountedOperations = 6;

/// A Context's statistics: each thread counts in a shard of its own, reading sums them.
///
/// Thread safety: all members, any thread.
class Counters {
 public:
  /// With number 0, "none", and the last, "other", which all names beyond the limit share.
  static constexpr std::size_t kTiersMax = 8;
  static constexpr std::size_t kDevicesMax = 32;

  Counters();
  ~Counters();
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;

  /// A number for the name, the same one each time.
  [[nodiscard]] std::uint16_t tier_id(std::string_view name);
  [[nodiscard]] std::uint16_t device_id(std::string_view name);

  /// Some 10 ns; allocates 16 KiB when a thread first meets a combination, and counts nothing if that fails.
  void record(CountedOperation operation, std::uint16_t tier, std::uint16_t device, std::uint64_t bytes,
              std::uint64_t latency_ns, bool failed) noexcept;

  /// Counted once a run, not once a request, so they need no shards.
  std::atomic<std::uint64_t> retries{0};
  std::atomic<std::uint64_t> short_transfers{0};

  /// All of the above. The rest of Statistics is filled in by those who own it.
  [[nodiscard]] Statistics read() const;

 private:
  struct Cell;
  struct Shard;
  struct Book;
  struct ThreadShards;

  [[nodiscard]] Shard* shard() const noexcept;

  std::uint64_t id_;            ///< Never used twice in a process, unlike addresses.
  std::shared_ptr<Book> book_;  ///< Threads may outlive the Counters and the other way round.
  mutable std::mutex names_mutex_;
  std::vector<std::string> tiers_{"none"};
  std::vector<std::string> devices_{"none"};
};

}  // namespace gpuio::core
