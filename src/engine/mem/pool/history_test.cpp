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

/// Kills at each point of a history in turn; how many deaths that were.
std::uint64_t kill_everywhere(HistoryOptions options) {
  std::uint64_t deaths = 0;
  for (options.kill_at = 1;; ++options.kill_at) {
    const HistoryResult result = run_history(options);
    EXPECT_EQ(result.failure, "") << "seed=" << options.seed << " coherent=" << options.coherent
                                  << " kill_at=" << options.kill_at;
    if (!result.failure.empty() || !result.killed) return deaths;
    ++deaths;
  }
}

TEST(PoolHistory, AHostThatDiesAtAnyStoreFlushOrFenceLosesNothingThatItHadPublished) {
  std::uint64_t deaths = 0;
  for (std::uint64_t seed = 1; deaths < 10'000 / kShare && !HasFailure(); ++seed) {
    deaths += kill_everywhere({.seed = seed, .steps = 40});
  }
  RecordProperty("deaths", static_cast<int>(deaths));
}

TEST(PoolHistory, NorDoesAProcessThatDiesWhereCachesAreCoherent) {
  std::uint64_t deaths = 0;
  for (std::uint64_t seed = 1; deaths < 10'000 / kShare && !HasFailure(); ++seed) {
    deaths += kill_everywhere({.seed = seed, .steps = 40, .coherent = true});
  }
  RecordProperty("deaths", static_cast<int>(deaths));
}

/// What one history hides another shows: some without checksums, some with deaths, some of them while a pool is made.
HistoryOptions with_everything(std::uint64_t seed) {
  static const std::uint64_t creation_points = run_history({.steps = 0}).creation_points;
  HistoryOptions options{.seed = seed, .steps = 120, .blind = seed % 2 == 0};
  base::Random random(seed);
  if (seed % 3 == 0) options.kill_at = creation_points + random.uniform(2'000);
  if (seed % 9 == 0) options.kill_at = creation_points - random.uniform(8);
  options.kill_again = seed % 3 == 0;
  return options;
}

TEST(PoolHistory, ManyDeathsAndNoChecksumsAreSurvivedToo) {
  for (std::uint64_t seed = 1; seed <= 1'000 / kShare; ++seed) {
    ASSERT_NO_FATAL_FAILURE(expect_sound(with_everything(seed)));
  }
}

/// With nothing omitted, a history is sound. Asked for each site, found out once.
bool is_sound(std::uint64_t seed) {
  static std::vector<bool> sound;
  while (sound.size() < seed) sound.push_back(run_history(with_everything(sound.size() + 1)).failure.empty());
  return sound[seed - 1];
}

/// Tries histories until the omission of `site` shows; the seed at which it did, or 0.
std::uint64_t caught_at(std::size_t site) {
  constexpr std::uint64_t kTries = 10'000;
  for (std::uint64_t seed = 1; seed <= kTries; ++seed) {
    HistoryOptions options = with_everything(seed);
    EXPECT_TRUE(is_sound(seed)) << "seed=" << seed;
    options.omitted = site;
    if (!run_history(options).failure.empty()) return seed;
  }
  return 0;
}

TEST(PoolOmissions, EachForgottenFlushFenceOrInvalidationIsCaught) {
  ASSERT_GE(sites().size(), 40U);  // They register themselves: a list that is empty tests nothing.
  for (std::size_t site = 0; site < sites().size(); ++site) {
    const std::uint64_t seed = caught_at(site);
    EXPECT_NE(seed, 0U) << sites()[site] << " can be left out, and no test notices";
    RecordProperty(sites()[site], static_cast<int>(seed));
  }
}

}  // namespace
}  // namespace gpuio::pool::testing
