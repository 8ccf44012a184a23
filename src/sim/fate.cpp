// SPDX-License-Identifier: Apache-2.0
#include "sim/fate.h"

#include <bit>
#include <numeric>

namespace gpuio::sim {
namespace {

struct FaultTraits {
  std::string_view name;
  double probability;  ///< In a bad machine.
};

constexpr std::array<FaultTraits, kFaults> kTraits{{
    {"short_transfer", 0.3},
    {"interrupted", 0.1},
    {"again", 0.1},
    {"io_error", 0.02},
    {"bad_sector", 0.002},
    {"no_space", 0.01},
    {"slow", 0.05},
    {"stuck", 0.004},
    {"queue_full", 0.3},
    {"cancel_ignored", 0.5},
    {"flush_failed", 0.05},
    {"lost_sector", 0.5},
    {"torn_sector", 0.2},
    {"evicted", 0.2},
    {"not_told", 0.2},
    {"open_failed", 0.1},
    {"map_failed", 0.3},
    {"allocation_failed", 0.1},
    {"registration_failed", 0.1},
    {"device_slow", 0.2},
    {"device_stuck", 0.004},
    {"device_rejected", 0.03},
    {"device_failed", 0.03},
    {"device_lost", 0.001},
}};

const FaultTraits& traits(Fault fault) { return kTraits[static_cast<std::size_t>(fault)]; }

}  // namespace

std::string_view to_string(Fault fault) noexcept { return traits(fault).name; }

FaultPlan FaultPlan::draw(base::Random& random, double severity) {
  FaultPlan plan;
  for (std::size_t i = 0; i < kFaults; ++i) {
    const bool on = random.chance(0.5);
    const double share = random.unit();
    plan.probability_[i] = on ? kTraits[i].probability * share * severity : 0;
  }
  return plan;
}

FaultPlan FaultPlan::uniform(double probability) {
  FaultPlan plan;
  plan.probability_.fill(probability);
  plan[Fault::device_lost] = 0;
  plan[Fault::stuck] = plan[Fault::device_stuck] = probability / 100;
  return plan;
}

void Fate::set_plan(const FaultPlan& plan) {
  const std::lock_guard lock(mutex_);
  plan_ = plan;
}

void Fate::mix(std::uint64_t value) noexcept { trace_ = (std::rotl(trace_, 23) ^ value) * 0x9e3779b97f4a7c15ULL; }

bool Fate::strikes(Fault fault) {
  const std::lock_guard lock(mutex_);
  const bool strikes = random_.chance(plan_[fault]);
  if (strikes) {
    ++struck_[static_cast<std::size_t>(fault)];
    mix(static_cast<std::uint64_t>(fault) + 1);
  }
  return strikes;
}

std::uint64_t Fate::uniform(std::uint64_t bound) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t number = random_.uniform(bound);
  mix(number);
  return number;
}

bool Fate::chance(double probability) {
  const std::lock_guard lock(mutex_);
  return random_.chance(probability);
}

void Fate::note(std::uint64_t event) {
  const std::lock_guard lock(mutex_);
  mix(event);
}

std::uint64_t Fate::trace() const {
  const std::lock_guard lock(mutex_);
  return trace_;
}

std::uint64_t Fate::struck(Fault fault) const {
  const std::lock_guard lock(mutex_);
  return struck_[static_cast<std::size_t>(fault)];
}

std::uint64_t Fate::struck() const {
  const std::lock_guard lock(mutex_);
  return std::accumulate(struck_.begin(), struck_.end(), std::uint64_t{0});
}

}  // namespace gpuio::sim
