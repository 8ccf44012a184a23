// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/cost_model/cost_model.h"
#include "core/device_state.h"
#include "core/memory/loans.h"
#include "core/request/hot_ways.h"
#include "core/request/request_state.h"
#include "core/request/run_state.h"

namespace gpuio::core {

/// What the settings say about ways and sizes.
struct PlannerOptions {
  enum class HotPath : std::uint8_t { automatic, copy, lend, kernel };
  HotPath hot_path = HotPath::automatic;
  std::uint32_t slab_bytes = 8U << 20U;
  std::uint64_t lent_bytes_max = 32U << 20U;  ///< Longest range registered at once.
  bool keep_registered = false;               ///< memory.registered_budget_bytes > 0
  std::shared_ptr<const Costs> costs = std::make_shared<const Costs>();
};

/// How the piece at a Request's cursor is to travel, and how much of it.
struct Decision {
  LayoutCursor::Piece piece;
  spi::Way way = spi::Way::cached;
  Carriage carriage = Carriage::in_place;
  std::uint64_t alignment = 1;  ///< Of offsets and lengths in the store, for what passes through a slab.
  std::uint64_t memory_alignment = 1;
  std::string_view reason;
  std::string_view medium;  ///< Of HotWays, whose choice it was; empty if it was not.
  bool wait = false;        ///< Not now: others are being registered, or a trial is ending.
};

/// Picks a Path for each piece: asks the store what the range can do now, and matches that with where the bytes go.
/// Remembers the store's last answer, which usually holds for the next pieces too. Reactor only.
class Planner {
 public:
  Planner(const PlannerOptions& options, LoanBook& loans, const base::Clock& clock)
      : options_(options), loans_(loans), hot_ways_(clock, [costs = options.costs](const DeviceState* device) {
          return costs->hot_way(device->device().info());
        }) {}

  /// Requires that the Request's cursor is not at its end; does not move it.
  [[nodiscard]] Decision decide(const RequestState& request, const ResolvedTransfer& transfer,
                                std::uint64_t run_bytes_max);

  /// Whether the piece at the Request's cursor goes in place by `way`, all of it: what `decide` would say if the
  /// store's last answer holds for it, and false wherever that is not plain. Costs little, for the next of many small
  /// pieces.
  [[nodiscard]] bool travels_in_place(const RequestState& request, const ResolvedTransfer& transfer,
                                      const LayoutCursor::Piece& piece, spi::Way way) const noexcept;

  /// The store's answers are old now: ask again. Once a poll.
  void forget() noexcept { known_store_ = nullptr; }

  /// A run begins; if its pages are lent it registers them from now on.
  void run_started(const RunState& run);
  /// It has registered them, or could not.
  void registering_ended(const RunState& run) noexcept;
  /// It ends, or takes to slabs.
  void run_ended(const RunState& run);

 private:
  [[nodiscard]] const spi::Plan& plan(const RequestState& request, const ResolvedTransfer& transfer,
                                      const LayoutCursor::Piece& piece, CacheUse cache);
  [[nodiscard]] bool may_lend(const RequestState& request, const spi::Plan& plan, std::uint64_t bytes) const noexcept;
  void decide_hot(Decision& decision, const RequestState& request, const ResolvedTransfer& transfer,
                  const spi::Plan& plan);
  void choose_hot_way(Decision& decision, const RequestState& request, const ResolvedTransfer& transfer,
                      const spi::Plan& plan);
  [[nodiscard]] bool must_wait(const ResolvedTransfer& transfer, const LayoutCursor::Piece& piece) const;
  /// `goes_on`: the cursor's next piece will continue this one.
  void decide_direct(Decision& decision, const ResolvedTransfer& transfer, bool goes_on) const noexcept;

  PlannerOptions options_;
  LoanBook& loans_;
  HotWays hot_ways_;
  /// A window of a store, by its first byte.
  struct Window {
    const StoreState* store = nullptr;
    std::uint64_t offset = 0;
    friend bool operator==(const Window&, const Window&) = default;
  };
  [[nodiscard]] Window window_of(const StoreState& store, std::uint64_t offset) const noexcept {
    return {&store, offset & ~(loans_.window_bytes() - 1)};
  }

  std::vector<Window> lending_;  ///< Being registered.
  std::uint32_t lent_runs_ = 0;  ///< Under way, registered or about to be.
  bool lending_refused_ = false;

  const StoreState* known_store_ = nullptr;  ///< What the next four are about.
  spi::RunKind known_kind_ = spi::RunKind::read;
  CacheUse known_cache_ = CacheUse::automatic;
  std::uint64_t known_begin_ = 0;
  spi::Plan known_;
};

}  // namespace gpuio::core
