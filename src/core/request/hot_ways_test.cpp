// SPDX-License-Identifier: Apache-2.0
#include "core/request/hot_ways.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace gpuio::core {
namespace {

constexpr std::uint64_t kRunBytes = 8ULL << 20U;
constexpr std::uint64_t kPlenty = ~0ULL;

/// Time and CPU time as the test says.
class CostClock final : public base::Clock {
 public:
  [[nodiscard]] std::uint64_t now_ns() const override { return now; }
  [[nodiscard]] std::uint64_t cpu_ns() const override { return cpu; }
  std::uint64_t now = 1;
  std::uint64_t cpu = 1;
};

/// A machine on which each way has its price, and a program that loads all the time, two runs under way.
class HotWaysTest : public testing::Test {
 protected:
  struct Price {
    double ns_per_byte;
    double cpu_ns_per_byte;
  };

  void move(std::uint64_t bytes, std::uint64_t left_bytes = kPlenty) {
    for (std::uint64_t moved = 0; moved < bytes; moved += kRunBytes) {
      HotWays::Choice choice = ways_.choose(place_, left_bytes);
      if (choice.wait) {
        if (trial_bunched()) clock_.now += 20'000'000;
        end();
        choice = ways_.choose(place_, left_bytes);
      }
      ASSERT_FALSE(choice.wait);
      seen_.insert(choice.carriage);
      ways_.started(place_, choice.carriage, kRunBytes);
      if (flying_ != Carriage::in_place) end();
      flying_ = choice.carriage;
    }
  }
  void end() {
    const Price price = prices_[flying_];
    if (!trial_bunched()) clock_.now += static_cast<std::uint64_t>(price.ns_per_byte * kRunBytes);
    clock_.cpu += static_cast<std::uint64_t>(price.cpu_ns_per_byte * kRunBytes);
    ways_.ended(place_, flying_, refused_.contains(flying_) ? HotWays::End::refused : HotWays::End::moved, kRunBytes);
    flying_ = Carriage::in_place;
  }
  [[nodiscard]] bool trial_bunched() const { return bunched_ && flying_ != Carriage::slab_copy; }
  Carriage chosen() { return ways_.choose(place_, 0).carriage; }

  CostClock clock_;
  std::optional<Carriage> first_;
  HotWays ways_{clock_, [this](const DeviceState*) { return first_; }};
  HotWays::Place place_{nullptr, "page cache"};
  std::map<Carriage, Price> prices_{
      {Carriage::slab_copy, {0.02, 0.15}}, {Carriage::lent_copy, {0.05, 0.05}}, {Carriage::lent_kernel, {0.05, 0.05}}};
  std::set<Carriage> refused_;
  std::set<Carriage> seen_;
  Carriage flying_ = Carriage::in_place;
  bool bunched_ = false;  ///< All ends of a trial's runs are seen at one moment, long after.
};

TEST_F(HotWaysTest, SlabsAreTakenBeforeAnythingIsMeasured) {
  move(HotWays::kFirstTrialBytes - kRunBytes);
  EXPECT_EQ(seen_, std::set{Carriage::slab_copy});
  EXPECT_TRUE(ways_.choose(place_, 0).reason.empty());
}

TEST_F(HotWaysTest, TheFirstGuessIsTakenBeforeAnythingIsMeasured) {
  first_ = Carriage::lent_copy;
  move(HotWays::kFirstTrialBytes - kRunBytes);
  EXPECT_EQ(seen_, std::set{Carriage::lent_copy});
  EXPECT_EQ(ways_.choose(place_, 0).reason, "in memory; quickest here by the cost model");
}

TEST_F(HotWaysTest, AWrongFirstGuessIsLeftOnceItWasMeasured) {
  first_ = Carriage::lent_kernel;
  move(8 * HotWays::kFirstTrialBytes);
  EXPECT_EQ(chosen(), Carriage::slab_copy);
  EXPECT_EQ(ways_.choose(place_, 0).reason, "in memory; measured quickest here");
}

TEST_F(HotWaysTest, AFirstGuessThatIsRefusedGivesWayToSlabs) {
  first_ = Carriage::lent_copy;
  refused_ = {Carriage::lent_copy};
  move(2 * kRunBytes);
  EXPECT_EQ(chosen(), Carriage::slab_copy);
  EXPECT_TRUE(ways_.choose(place_, 0).reason.empty());
}

TEST_F(HotWaysTest, EveryWayIsTriedAndTheQuickestKept) {
  move(4 * HotWays::kFirstTrialBytes);
  EXPECT_EQ(seen_, (std::set{Carriage::slab_copy, Carriage::lent_copy, Carriage::lent_kernel}));
  EXPECT_EQ(chosen(), Carriage::slab_copy);
  EXPECT_EQ(ways_.choose(place_, 0).reason, "in memory; measured quickest here");
}

TEST_F(HotWaysTest, AWayThatIsQuickerHereIsTaken) {
  prices_[Carriage::lent_copy] = {0.015, 0.05};
  move(2 * HotWays::kFirstTrialBytes);
  EXPECT_EQ(chosen(), Carriage::lent_copy);
}

TEST_F(HotWaysTest, OfEquallyQuickWaysTheCheaperIsTaken) {
  prices_[Carriage::lent_copy] = {0.0203, 0.05};
  move(2 * HotWays::kFirstTrialBytes);
  EXPECT_EQ(chosen(), Carriage::lent_copy);
  EXPECT_NE(ways_.choose(place_, 0).reason.find("least CPU time"), std::string_view::npos);
}

TEST_F(HotWaysTest, AWayThatBecomesSlowIsLeftAgain) {
  prices_[Carriage::lent_copy] = {0.015, 0.05};
  move(2 * HotWays::kFirstTrialBytes);
  prices_[Carriage::lent_copy] = {0.08, 0.05};
  move(16 * HotWays::kFirstTrialBytes);
  EXPECT_EQ(chosen(), Carriage::slab_copy);
}

TEST_F(HotWaysTest, TrialsAreASmallPartOfWhatIsMoved) {
  std::uint64_t moved = 0;
  std::uint64_t tried = 0;
  for (; moved < 32 * HotWays::kFirstTrialBytes; moved += kRunBytes) {
    move(kRunBytes);
    tried += flying_ == Carriage::slab_copy ? 0 : kRunBytes;
  }
  EXPECT_LE(tried, moved / 64);
}

TEST_F(HotWaysTest, ShortRequestsPayForNoTrial) {
  move(4 * HotWays::kFirstTrialBytes, HotWays::kTrialBytes);
  EXPECT_EQ(seen_, std::set{Carriage::slab_copy});
}

TEST_F(HotWaysTest, WhatTheDriverRefusesIsNotTriedAgain) {
  refused_ = {Carriage::lent_copy, Carriage::lent_kernel};
  move(4 * HotWays::kFirstTrialBytes);
  EXPECT_EQ(chosen(), Carriage::slab_copy);
  seen_.clear();
  move(32 * HotWays::kFirstTrialBytes);
  EXPECT_EQ(seen_, std::set{Carriage::slab_copy});
}

TEST_F(HotWaysTest, EndsOfRunsThatAreSeenTogetherMakeNoWayQuick) {
  // A trial's runs once ended in one poll, which looked like no time at all; it then took whole loads.
  move(HotWays::kFirstTrialBytes);
  bunched_ = true;
  move(2 * HotWays::kTrialBytes);
  EXPECT_TRUE(seen_.contains(Carriage::lent_copy));
  EXPECT_EQ(chosen(), Carriage::slab_copy);
}

TEST_F(HotWaysTest, ATrialThatCantGoOnHoldsNobody) {
  ways_.started(place_, Carriage::slab_copy, kRunBytes);  // of a device that never answers
  move(HotWays::kFirstTrialBytes);
  end();
  ASSERT_TRUE(ways_.choose(place_, kPlenty).wait);
  clock_.now += 2'000'000'000;
  const HotWays::Choice choice = ways_.choose(place_, kPlenty);
  EXPECT_FALSE(choice.wait);
  EXPECT_EQ(choice.carriage, Carriage::slab_copy);
}

TEST_F(HotWaysTest, PlacesAreJudgedApart) {
  prices_[Carriage::lent_copy] = {0.015, 0.05};
  move(2 * HotWays::kFirstTrialBytes);
  place_.medium = "tmpfs";
  EXPECT_EQ(chosen(), Carriage::slab_copy);
}

}  // namespace
}  // namespace gpuio::core
