// SPDX-License-Identifier: Apache-2.0
// Random calls on simulated machines; each failure names the seed that replays it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <numeric>

#include "workload.h"

namespace gpuio::tests {
namespace {

constexpr unsigned kActions = 300;

/// So many seeds meet every fault there is, and so many in all, not counting what a power cut takes by the thousand.
constexpr std::uint64_t kSeedsThatMeetAll = 400;
constexpr std::uint64_t kFaultsMin = 100'000;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

WorkloadResult run_seed(std::uint64_t seed) {
  Workload workload(seed);
  return workload.run(kActions);
}

TEST(Simulation, RandomCallsUnderFaultsNeverGiveAWrongByteHangOrLeak) {
  const std::uint64_t first = from_environment("GPUIO_SIM_SEED", 1);
  const std::uint64_t count = from_environment("GPUIO_SIM_SEEDS", GPUIO_SIM_SEEDS_DEFAULT);
  std::array<std::uint64_t, sim::kFaults> faults{};
  std::uint64_t requests = 0;
  std::uint64_t failed = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const WorkloadResult result = run_seed(seed);
    ASSERT_EQ(result.problem, "") << "replay with GPUIO_SIM_SEED=" << seed << " GPUIO_SIM_SEEDS=1";
    std::ranges::transform(faults, result.faults, faults.begin(), std::plus());
    requests += result.requests;
    failed += result.failed_requests;
  }
  const std::uint64_t sectors = faults[static_cast<std::size_t>(sim::Fault::lost_sector)] +
                                faults[static_cast<std::size_t>(sim::Fault::torn_sector)];
  const std::uint64_t all = std::accumulate(faults.begin(), faults.end(), std::uint64_t{0}) - sectors;
  fmt::print("{} seeds, {} requests, {} of them failed, {} faults, and {} sectors lost or torn\n", count, requests,
             failed, all, sectors);
  for (std::size_t i = 0; i < sim::kFaults; ++i) {
    fmt::print("  {}: {}\n", to_string(static_cast<sim::Fault>(i)), faults[i]);
    EXPECT_TRUE(faults[i] > 0 || count < kSeedsThatMeetAll) << to_string(static_cast<sim::Fault>(i)) << " never struck";
  }
  EXPECT_TRUE(all >= kFaultsMin || count < kSeedsThatMeetAll);
}

TEST(Simulation, OneSeedGivesOneTrace) {
  for (const std::uint64_t seed : {3ULL, 14ULL, 159ULL}) {
    const WorkloadResult once = run_seed(seed);
    const WorkloadResult again = run_seed(seed);
    EXPECT_EQ(once.trace, again.trace) << "seed " << seed;
    EXPECT_EQ(once.requests, again.requests);
    EXPECT_NE(once.trace, run_seed(seed + 1).trace);
  }
}

}  // namespace
}  // namespace gpuio::tests
