// SPDX-License-Identifier: Apache-2.0
#include "core/request/hot_ways.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace gpuio::core {
namespace {

/// A trial waits for runs that may never end, as when a device has gone silent; others are not to wait with it.
constexpr std::uint64_t kTrialPatienceNs = 1'000'000'000;

/// Of the way taken: long enough that it does not matter how the ends of runs are bunched.
constexpr std::uint64_t kEpochNs = 10'000'000;

/// Share of the newest epoch in what is known. The kernel tells CPU time of running threads a few milliseconds late, so
/// one epoch's figure is rough.
constexpr double kNewestShare = 0.25;

/// A trial is to be a small part of the Request that pays for it.
constexpr std::uint64_t kTrialShare = 4;

/// Rates closer than this are the same; then CPU time decides.
constexpr double kSameRate = 1.03;

}  // namespace

void HotWays::Cost::learn(double ns, double cpu_ns) noexcept {
  const double share = ns_per_byte > 0 ? kNewestShare : 1;
  ns_per_byte += share * (ns - ns_per_byte);
  cpu_ns_per_byte += share * (cpu_ns - cpu_ns_per_byte);
}

HotWays::Ledger& HotWays::ledger(const Place& place) {
  const auto found = std::ranges::find(ledgers_, place, &Ledger::place);
  if (found != ledgers_.end()) return *found;
  Ledger& added = ledgers_.emplace_back();
  added.place = place;
  const std::optional<Carriage> guess = first_guess_ ? first_guess_(place.device) : std::nullopt;
  if (guess) {
    added.first = way_of(*guess);
    added.first_reason = "in memory; quickest here by the cost model";
  }
  take_first(added);
  return added;
}

/// What is taken while nothing was compared; slabs always work.
void HotWays::take_first(Ledger& ledger) noexcept {
  const bool works = !ledger.costs[ledger.first].refused;
  ledger.best = works ? ledger.first : 0;
  ledger.reason = works ? ledger.first_reason : std::string_view();
}

HotWays::Way HotWays::way_of(Carriage carriage) noexcept {
  return static_cast<Way>(std::ranges::find(kWays, carriage) - kWays.begin());
}

HotWays::Choice HotWays::choose(const Place& place, std::uint64_t left_bytes) {
  Ledger& known = ledger(place);
  const bool due = known.moved_bytes >= known.next_trial_bytes && left_bytes >= kTrialShare * kTrialBytes;
  if (known.trial == kNone && due) begin_trial(known);
  if (known.trial == kNone) return {kWays[known.best], known.reason, false};
  const bool wait = known.in_flight > known.trial_in_flight || known.trial_left_bytes == 0;
  if (wait && clock_.now_ns() - known.trial_since_ns > kTrialPatienceNs) {
    abandon_trial(known);
    return {kWays[known.best], known.reason, false};
  }
  return {kWays[known.trial], "a trial of this way", wait};
}

void HotWays::abandon_trial(Ledger& ledger) noexcept {
  ledger.trial = kNone;
  ledger.trial_left_bytes = 0;
  ledger.trial_in_flight = 0;
  ledger.epoch.open = false;
}

/// The next way in turn that is not the one taken anyway; none if all others were refused.
void HotWays::begin_trial(Ledger& ledger) const noexcept {
  ledger.next_trial_bytes = 2 * ledger.moved_bytes;
  for (Way step = 1; step < kWays.size(); ++step) {
    const Way way = (ledger.last_trial + step) % kWays.size();
    if (way == ledger.best || ledger.costs[way].refused) continue;
    ledger.last_trial = ledger.trial = way;
    ledger.trial_left_bytes = kTrialBytes;
    ledger.trial_since_ns = clock_.now_ns();
    return;
  }
}

void HotWays::started(const Place& place, Carriage carriage, std::uint64_t bytes) {
  Ledger& known = ledger(place);
  if (known.in_flight == 0) open_epoch(known);
  ++known.in_flight;
  if (known.trial == kNone || way_of(carriage) != known.trial) return;
  ++known.trial_in_flight;
  known.trial_left_bytes -= std::min(known.trial_left_bytes, bytes);
}

void HotWays::ended(const Place& place, Carriage carriage, End end, std::uint64_t bytes) {
  Ledger& known = ledger(place);
  const Way way = way_of(carriage);
  const bool of_trial = known.trial == way && known.trial_in_flight > 0;
  known.moved_bytes += bytes;
  --known.in_flight;
  if (of_trial) --known.trial_in_flight;
  if (end == End::moved) {
    known.epoch.bytes += bytes;
  } else {
    known.epoch.open = false;
  }
  if (end == End::refused) {
    known.costs[way].refused = true;
    if (known.trial == way) known.trial_left_bytes = 0;
    if (known.best == way) judge(known);
  }
  const bool trial_over = known.trial != kNone && known.trial_left_bytes == 0 && known.trial_in_flight == 0;
  if (of_trial && trial_over) close_epoch(known, way);
  if (trial_over) end_trial(known);
  const bool long_enough = known.epoch.open && clock_.now_ns() - known.epoch.start_ns >= kEpochNs;
  if (known.trial == kNone && way == known.best && long_enough) {
    close_epoch(known, way);
    open_epoch(known);
    judge(known);  // One that does worse than when it was chosen is left at once.
  }
}

void HotWays::end_trial(Ledger& ledger) {
  ledger.trial = kNone;
  judge(ledger);
  const auto text = [&](Way way) {
    const Cost& cost = ledger.costs[way];
    if (!cost.known()) return fmt::format("{}: {}", to_string(kWays[way]), cost.refused ? "refused" : "not measured");
    return fmt::format("{}: {:.1f} GB/s, {:.3f} s/GB of CPU time", to_string(kWays[way]), 1 / cost.ns_per_byte,
                       cost.cpu_ns_per_byte);
  };
  GPUIO_LOG(info, "core",
            fmt::format("resident bytes ({}): {}; {}; {}; taken: {}", ledger.place.medium, text(0), text(1), text(2),
                        to_string(kWays[ledger.best])));
}

void HotWays::open_epoch(Ledger& ledger) noexcept { ledger.epoch = {true, clock_.now_ns(), clock_.cpu_ns(), 0}; }

void HotWays::close_epoch(Ledger& ledger, Way way) noexcept {
  const Epoch& epoch = ledger.epoch;
  if (epoch.open && epoch.bytes > 0) {
    const auto moved = static_cast<double>(epoch.bytes);
    const std::uint64_t took_ns = std::max<std::uint64_t>(clock_.now_ns() - epoch.start_ns, 1);
    ledger.costs[way].learn(static_cast<double>(took_ns) / moved,
                            static_cast<double>(clock_.cpu_ns() - epoch.start_cpu_ns) / moved);
  }
  ledger.epoch.open = false;
}

void HotWays::judge(Ledger& ledger) noexcept {
  Way quickest = kNone;
  for (Way way = 0; way < kWays.size(); ++way) {
    const bool better = quickest == kNone || ledger.costs[way].ns_per_byte < ledger.costs[quickest].ns_per_byte;
    if (ledger.costs[way].known() && better) quickest = way;
  }
  take_first(ledger);
  if (std::ranges::count_if(ledger.costs, &Cost::known) < 2) return;
  Way best = quickest;
  for (Way way = 0; way < kWays.size(); ++way) {
    const Cost& cost = ledger.costs[way];
    const bool same_rate = cost.known() && cost.ns_per_byte <= kSameRate * ledger.costs[quickest].ns_per_byte;
    if (same_rate && cost.cpu_ns_per_byte < ledger.costs[best].cpu_ns_per_byte) best = way;
  }
  ledger.best = best;
  ledger.reason = best == quickest ? "in memory; measured quickest here"
                                   : "in memory; measured as quick as any here, for the least CPU time";
}

}  // namespace gpuio::core
