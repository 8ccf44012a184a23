// SPDX-License-Identifier: Apache-2.0
// Random calls on simulated machines; each failure names the seed that replays it.
#include <gtest/gtest.h>

#include <cstdlib>

#include "workload.h"

namespace gpuio::tests {
namespace {

constexpr unsigned kActions = 300;

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
  const std::uint64_t count = from_environment("GPUIO_SIM_SEEDS", 300);
  std::uint64_t faults = 0;
  std::uint64_t requests = 0;
  std::uint64_t failed = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const WorkloadResult result = run_seed(seed);
    ASSERT_EQ(result.problem, "") << "replay with GPUIO_SIM_SEED=" << seed << " GPUIO_SIM_SEEDS=1";
    faults += result.faults;
    requests += result.requests;
    failed += result.failed_requests;
  }
  RecordProperty("faults", std::to_string(faults));
  std::printf("%llu seeds, %llu requests, %llu of them failed, %llu faults\n", static_cast<unsigned long long>(count),
              static_cast<unsigned long long>(requests), static_cast<unsigned long long>(failed),
              static_cast<unsigned long long>(faults));
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
