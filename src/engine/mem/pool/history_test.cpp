// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "engine/mem/pool/testing/world.h"

namespace gpuio::pool::testing {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kShare = 8;  // Instrumented code runs a share of the histories.
#else
constexpr std::uint64_t kShare = 1;
#endif

void expect_sound(const HistoryOptions& options) {
  const HistoryResult result = run_history(options);
  ASSERT_EQ(result.failure, "") << "seed=" << options.seed << " coherent=" << options.coherent
                                << " blind=" << options.blind << " kill_at=" << options.kill_at;
}

TEST(PoolHistory, OnStaleLinesEveryHostSeesWhatAPlainMapSays) {
  for (std::uint64_t seed = 1; seed <= 600 / kShare; ++seed) {
    ASSERT_NO_FATAL_FAILURE(expect_sound({.seed = seed, .steps = 120}));
  }
}

TEST(PoolHistory, OnCoherentMemoryToo) {
  for (std::uint64_t seed = 1; seed <= 600 / kShare; ++seed) {
    ASSERT_NO_FATAL_FAILURE(expect_sound({.seed = seed, .steps = 120, .coherent = true}));
  }
}

TEST(PoolHistory, WithoutChecksumsSequencesAloneKeepWrongBytesOut) {
  for (std::uint64_t seed = 1; seed <= 600 / kShare; ++seed) {
    ASSERT_NO_FATAL_FAILURE(expect_sound({.seed = seed, .steps = 120, .blind = true}));
  }
}

/// Kills at each store of a history in turn; how many deaths that were.
std::uint64_t kill_at_every_store(HistoryOptions options) {
  std::uint64_t deaths = 0;
  for (options.kill_at = 1;; ++options.kill_at) {
    const HistoryResult result = run_history(options);
    EXPECT_EQ(result.failure, "") << "seed=" << options.seed << " coherent=" << options.coherent
                                  << " kill_at=" << options.kill_at;
    if (!result.failure.empty() || !result.killed) return deaths;
    ++deaths;
  }
}

TEST(PoolHistory, AHostThatDiesAtAnyStoreLosesNothingThatItHadPublished) {
  std::uint64_t deaths = 0;
  for (std::uint64_t seed = 1; deaths < 8'000 / kShare && !HasFailure(); ++seed) {
    deaths += kill_at_every_store({.seed = seed, .steps = 40});
  }
  RecordProperty("deaths", static_cast<int>(deaths));
}

TEST(PoolHistory, NorDoesAProcessThatDiesWhereCachesAreCoherent) {
  std::uint64_t deaths = 0;
  for (std::uint64_t seed = 1; deaths < 8'000 / kShare && !HasFailure(); ++seed) {
    deaths += kill_at_every_store({.seed = seed, .steps = 40, .coherent = true});
  }
  RecordProperty("deaths", static_cast<int>(deaths));
}

/// Tries histories until the omission of `site` shows; the seed at which it did, or 0.
std::uint64_t caught_at(std::size_t site, std::uint64_t tries) {
  for (std::uint64_t seed = 1; seed <= tries; ++seed) {
    // Some with a death, some without checksums: what one hides, another shows.
    HistoryOptions options{.seed = seed, .steps = 120, .blind = seed % 2 == 0, .omitted = site};
    if (seed % 3 == 0) options.kill_at = 1 + base::Random(seed).uniform(3'000);
    if (!run_history(options).failure.empty()) return seed;
  }
  return 0;
}

TEST(PoolOmissions, TheSameHistoriesAreSoundWithNothingOmitted) {
  for (std::uint64_t seed = 1; seed <= 600 / kShare; ++seed) {
    HistoryOptions options{.seed = seed, .steps = 120, .blind = seed % 2 == 0};
    if (seed % 3 == 0) options.kill_at = 1 + base::Random(seed).uniform(3'000);
    ASSERT_NO_FATAL_FAILURE(expect_sound(options));
  }
}

TEST(PoolOmissions, EachForgottenFlushFenceOrInvalidationIsCaught) {
  ASSERT_GE(sites().size(), 40U);
  for (std::size_t site = 0; site < sites().size(); ++site) {
    const std::uint64_t seed = caught_at(site, 5'000);
    EXPECT_NE(seed, 0U) << sites()[site] << " can be left out, and no test notices";
    RecordProperty(sites()[site], static_cast<int>(seed));
  }
}

}  // namespace
}  // namespace gpuio::pool::testing
