// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "core/request/path.h"

namespace gpuio::core {

class DeviceState;

/// Which way resident bytes take to a device whose memory host code does not reach: through slabs that threads fill, or
/// out of the store's own pages, registered for the time of one copy and read by the copy engine or by a kernel. Rates
/// differ by a factor of three either way between machines, file systems and numbers of cores, so each way is measured
/// in use: bytes a second while runs follow each other, and the process's CPU time meanwhile (the caller's own threads
/// count in it, for all ways alike).
///
/// At first the way that the cost model names, slabs without one. After `kFirstTrialBytes` the next kTrialBytes take
/// another way, alone: what is under way ends before, and nothing else begins before the trial's last run has ended. So
/// it goes on whenever twice as much has been moved: trials cost a few per cent at first and less and less. The
/// quickest way is taken; of those within 3 % of it the one that takes the least CPU time.
///
/// Thread safety: none; the reactor's.
class HotWays {
 public:
  /// Where costs are alike: a device and what the store's engine calls the medium (spi::Plan::medium, static text).
  struct Place {
    const DeviceState* device = nullptr;
    std::string_view medium;
    friend bool operator==(const Place&, const Place&) = default;
  };

  struct Choice {
    Carriage carriage = Carriage::slab_copy;
    std::string_view reason;  ///< Static text; empty before anything was measured.
    bool wait = false;        ///< A trial is to begin or end; ask again after the next run has ended.
  };

  static constexpr std::uint64_t kFirstTrialBytes = 16ULL << 30U;
  static constexpr std::uint64_t kTrialBytes = 256ULL << 20U;

  /// The way to take before any was tried; none: slabs.
  using FirstGuess = std::function<std::optional<Carriage>(const DeviceState* device)>;

  explicit HotWays(const base::Clock& clock, FirstGuess first_guess = {}) noexcept
      : clock_(clock), first_guess_(std::move(first_guess)) {}

  /// The way of the next bytes. `left_bytes`: that the Request still has to move; trials need a large one.
  [[nodiscard]] Choice choose(const Place& place, std::uint64_t left_bytes);

  enum class End : std::uint8_t {
    moved,     ///< Its bytes went that way.
    gave_way,  ///< They took another way for once, as when a budget was in use.
    refused,   ///< They took another way, because this one does not work here.
  };
  /// A run that was chosen `carriage` begins, ends.
  void started(const Place& place, Carriage carriage, std::uint64_t bytes);
  void ended(const Place& place, Carriage carriage, End end, std::uint64_t bytes);

 private:
  using Way = std::size_t;
  static constexpr std::array kWays{Carriage::slab_copy, Carriage::lent_copy, Carriage::lent_kernel};
  static constexpr Way kNone = kWays.size();

  struct Cost {
    double ns_per_byte = 0;
    double cpu_ns_per_byte = 0;
    bool refused = false;
    [[nodiscard]] bool known() const noexcept { return ns_per_byte > 0 && !refused; }
    void learn(double ns, double cpu_ns) noexcept;
  };

  /// Of runs that follow each other without a pause.
  struct Epoch {
    bool open = false;
    std::uint64_t start_ns = 0;
    std::uint64_t start_cpu_ns = 0;
    std::uint64_t bytes = 0;
  };

  struct Ledger {
    Place place;
    std::array<Cost, kWays.size()> costs;
    Way first = 0;
    std::string_view first_reason;
    Way best = 0;
    std::string_view reason;
    std::uint64_t moved_bytes = 0;
    std::uint64_t next_trial_bytes = kFirstTrialBytes;
    Way last_trial = 0;
    Way trial = kNone;
    std::uint64_t trial_since_ns = 0;
    std::uint64_t trial_left_bytes = 0;
    std::uint32_t trial_in_flight = 0;
    std::uint32_t in_flight = 0;
    Epoch epoch;
  };

  [[nodiscard]] Ledger& ledger(const Place& place);
  [[nodiscard]] static Way way_of(Carriage carriage) noexcept;
  void begin_trial(Ledger& ledger) const noexcept;
  static void abandon_trial(Ledger& ledger) noexcept;
  void end_trial(Ledger& ledger);
  void open_epoch(Ledger& ledger) noexcept;
  void close_epoch(Ledger& ledger, Way way) noexcept;
  static void judge(Ledger& ledger) noexcept;
  static void take_first(Ledger& ledger) noexcept;

  const base::Clock& clock_;
  FirstGuess first_guess_;
  std::vector<Ledger> ledgers_;
};

}  // namespace gpuio::core
