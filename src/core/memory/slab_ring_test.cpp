// SPDX-License-Identifier: Apache-2.0
#include "core/memory/slab_ring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/random.h"
#include "core/testing/fake_device.h"

namespace gpuio::core {
namespace {

constexpr std::uint32_t kSlabBytes = 2U << 20U;  // Eight small slabs, one of them for urgent requests.
constexpr std::uint32_t kSmallSlabs = 8;

class SlabRingTest : public testing::Test {
 protected:
  /// A ring whose budget holds the small slabs' block and `big_slabs` more.
  void open(std::uint32_t big_slabs, SlabMemoryListener* listener = nullptr) {
    ring_.reset();
    budget_.emplace(std::uint64_t{kSlabBytes} * (big_slabs + 1));
    group_.emplace(*budget_);
    ring_.emplace(device_, *group_, SlabRing::Options{.slab_bytes = kSlabBytes}, listener);
  }
  Slab* big(bool urgent = false) { return ring_->acquire(SlabClass::big, urgent); }
  Slab* small(bool urgent = false) { return ring_->acquire(SlabClass::small, urgent); }

  std::shared_ptr<FakeDevice> device_ = std::make_shared<FakeDevice>();
  std::optional<PinnedBudget> budget_;
  std::optional<SlabRingGroup> group_;
  std::optional<SlabRing> ring_;
};

TEST_F(SlabRingTest, MapsNothingBeforeItIsAsked) {
  open(4);
  EXPECT_EQ(budget_->now(), 0U);
  EXPECT_EQ(device_->register_calls(), 0U);
}

TEST_F(SlabRingTest, FullBudgetPushesBackInsteadOfGrowing) {
  open(2);
  Slab* const first = big();
  Slab* const second = big();
  ASSERT_TRUE(first != nullptr && second != nullptr);
  EXPECT_EQ(big(), nullptr);
  EXPECT_EQ(ring_->waits(), 1U);
  EXPECT_TRUE(ring_->status(SlabClass::big).ok()) << "a release will bring one";
  EXPECT_EQ(budget_->now(), budget_->limit());
  ring_->release(first);
  EXPECT_EQ(big(), first);
  EXPECT_EQ(budget_->max(), budget_->limit());
  ring_->release(first);
  ring_->release(second);
}

TEST_F(SlabRingTest, SlabIsRegisteredOnceHoweverOftenItIsUsed) {
  open(2);
  for (int i = 0; i < 10; ++i) ring_->release(big());
  EXPECT_EQ(device_->register_calls(), 2U) << "the small slabs' block and one big slab";
  EXPECT_EQ(device_->registered_bytes(), 2ULL * kSlabBytes);
}

TEST_F(SlabRingTest, LastReleasedIsFirstUsedAgain) {
  open(3);
  Slab* const a = big();
  Slab* const b = big();
  Slab* const c = big();
  for (Slab* slab : {a, c, b}) ring_->release(slab);
  EXPECT_EQ(big(), b);
  EXPECT_EQ(big(), c);
  EXPECT_EQ(big(), a);
  for (Slab* slab : {a, b, c}) ring_->release(slab);
}

TEST_F(SlabRingTest, BulkThatTookAllLeavesSmallSlabsForUrgentReads) {
  open(2);
  std::vector<Slab*> bulk = {big(), big()};
  while (Slab* slab = small()) bulk.push_back(slab);
  EXPECT_EQ(bulk.size(), 2 + kSmallSlabs - 1);
  Slab* const urgent = small(true);
  ASSERT_NE(urgent, nullptr);
  EXPECT_EQ(urgent->bytes, 256U << 10U);
  EXPECT_EQ(small(true), nullptr);
  ring_->release(urgent);
  EXPECT_EQ(small(), nullptr) << "the reserve is not for bulk";
  for (Slab* slab : bulk) ring_->release(slab);
}

TEST_F(SlabRingTest, SlabsNeverOverlapAndAreAligned) {
  open(2);
  std::map<std::byte*, std::uint32_t> slabs;
  std::vector<Slab*> out = {big(), big()};
  while (Slab* slab = small(true)) out.push_back(slab);
  for (Slab* slab : out) slabs[slab->memory] = slab->bytes;
  EXPECT_EQ(slabs.size(), 2 + kSmallSlabs);
  std::byte* end = nullptr;
  for (const auto& [memory, bytes] : slabs) {
    EXPECT_GE(memory, end);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % 4096, 0U);
    std::memset(memory, 1, bytes);
    end = memory + bytes;
  }
  for (Slab* slab : out) ring_->release(slab);
}

TEST_F(SlabRingTest, SmallestSlabsOfAnOddSizeStillComeInBothClasses) {
  open(4);
  SlabRing ring(device_, *group_, {.slab_bytes = (64U << 10U) + 1});
  EXPECT_EQ(ring.slab_bytes(), 64U << 10U);
  EXPECT_EQ(ring.small_bytes(), 32U << 10U);
  Slab* const bulk = ring.acquire(SlabClass::small, false);
  ASSERT_NE(bulk, nullptr);
  EXPECT_EQ(ring.acquire(SlabClass::small, false), nullptr);
  Slab* const urgent = ring.acquire(SlabClass::small, true);
  ASSERT_NE(urgent, nullptr);
  EXPECT_NE(urgent->memory, bulk->memory);
  ring.release(bulk);
  ring.release(urgent);
}

TEST_F(SlabRingTest, ActiveCapBoundsBulkButNotUrgentReads) {
  open(4);
  ring_->set_active_max(1);
  Slab* const bulk = big();
  EXPECT_EQ(big(), nullptr);
  Slab* const urgent = big(true);
  EXPECT_NE(urgent, nullptr);
  ring_->set_active_max(3);
  Slab* const more = big();
  EXPECT_NE(more, nullptr);
  EXPECT_EQ(ring_->active(), 3U);
  for (Slab* slab : {bulk, urgent, more}) ring_->release(slab);
  EXPECT_EQ(ring_->active(), 0U);
}

TEST_F(SlabRingTest, QuarantinedSlabIsReportedAndNotUsedUntilItsDeviceAnswers) {
  open(1);
  Slab* const stuck = big();
  ring_->quarantine(stuck);
  EXPECT_EQ(ring_->quarantined_bytes(), kSlabBytes);
  EXPECT_EQ(ring_->active(), 0U);
  EXPECT_EQ(big(), nullptr);
  ring_->release(stuck);
  EXPECT_EQ(ring_->quarantined_bytes(), 0U);
  EXPECT_EQ(ring_->active(), 0U);
  EXPECT_EQ(big(), stuck);
  ring_->release(stuck);
}

TEST_F(SlabRingTest, SlabsThatNeverCameBackStayMappedAndPaidFor) {
  open(2);
  Slab* const stuck = big();
  std::byte* const memory = stuck->memory;
  ring_->release(big());
  ring_->quarantine(stuck);
  ring_.reset();
  std::memset(memory, 7, kSlabBytes);
  EXPECT_EQ(budget_->now(), kSlabBytes);
  EXPECT_EQ(device_->registered_bytes(), kSlabBytes);
}

TEST_F(SlabRingTest, DestructionGivesEverythingBack) {
  open(3);
  ring_->release(big());
  ring_->release(small());
  ring_.reset();
  EXPECT_EQ(budget_->now(), 0U);
  EXPECT_EQ(device_->registrations(), 0U);
  EXPECT_EQ(device_->mistakes(), 0U);
}

TEST_F(SlabRingTest, BudgetTooSmallForAnySlabSaysWhichSettingToRaise) {
  open(0);
  EXPECT_EQ(big(), nullptr);
  EXPECT_EQ(ring_->status(SlabClass::big).code(), Code::resource_exhausted);
  EXPECT_THAT(ring_->status(SlabClass::big).to_string(), testing::HasSubstr("memory.pinned_budget_bytes"));
  EXPECT_TRUE(ring_->status(SlabClass::small).ok());
}

TEST_F(SlabRingTest, FirstSlabThatCannotBeRegisteredIsAnErrorAndLeavesNothing) {
  open(2);
  device_->registrations_until_failure = 0;
  EXPECT_EQ(small(), nullptr);
  EXPECT_EQ(ring_->status(SlabClass::small).code(), Code::resource_exhausted);
  EXPECT_EQ(budget_->now(), 0U);
  Slab* const later = small();
  EXPECT_NE(later, nullptr) << "it is tried again";
  EXPECT_TRUE(ring_->status(SlabClass::small).ok());
  ring_->release(later);
}

TEST_F(SlabRingTest, MemlockReachedLaterMeansGoingOnWithTheSlabsThereAre) {
  open(4);
  Slab* const first = big();
  device_->registrations_until_failure = 0;
  EXPECT_EQ(big(), nullptr);
  EXPECT_TRUE(ring_->status(SlabClass::big).ok());
  const std::size_t calls = device_->register_calls();
  EXPECT_EQ(big(), nullptr);
  EXPECT_EQ(device_->register_calls(), calls) << "not tried again on every call";
  EXPECT_EQ(ring_->pinned_bytes(), budget_->now());
  ring_->release(first);
  EXPECT_EQ(big(), first);
  ring_->release(first);
}

TEST_F(SlabRingTest, HostDeviceWorksWithUnregisteredSlabs) {
  device_ = std::make_shared<FakeDevice>("host", true);
  device_->registrations_until_failure = 0;
  open(1);
  Slab* const slab = small();
  EXPECT_NE(slab, nullptr);
  EXPECT_EQ(device_->registrations(), 0U);
  ring_->release(slab);
}

TEST_F(SlabRingTest, TrimGivesIdleSlabsBackButNotThoseInUse) {
  open(3);
  Slab* const used = big();
  ring_->release(big());
  EXPECT_EQ(ring_->trim(~std::uint64_t{0}), kSlabBytes);
  EXPECT_EQ(budget_->now(), 2ULL * kSlabBytes);
  EXPECT_EQ(device_->registrations(), 2U);
  Slab* const again = big();
  EXPECT_NE(again, nullptr);
  ring_->release(again);
  ring_->release(used);
}

struct Recorder final : SlabMemoryListener {
  void slab_memory_added(std::byte* base, std::size_t bytes) override { known[base] = bytes; }
  void slab_memory_removed(std::byte* base) override { EXPECT_EQ(known.erase(base), 1U); }
  std::map<std::byte*, std::size_t> known;
};

TEST_F(SlabRingTest, ListenerKnowsAllMemoryAtAnyTime) {
  Recorder recorder;
  open(2, &recorder);
  Slab* const first = big();
  Slab* const second = big();
  EXPECT_EQ(recorder.known.size(), 3U);
  EXPECT_EQ(recorder.known.at(first->memory), kSlabBytes);
  EXPECT_EQ(ring_->memory().size(), 3U);
  ring_->release(first);
  ring_->release(second);
  ring_->trim(kSlabBytes);
  EXPECT_EQ(recorder.known.size(), 2U);
  ring_.reset();
  EXPECT_TRUE(recorder.known.empty());
}

TEST_F(SlabRingTest, DeviceOpenedLateGetsTheIdleSlabsOfAnother) {
  open(4);
  std::vector<Slab*> bulk = {big(), big(), big(), big()};
  for (Slab* slab : bulk) ring_->release(slab);
  EXPECT_EQ(budget_->room(), 0U);
  SlabRing late(std::make_shared<FakeDevice>("fake:1"), *group_, {.slab_bytes = kSlabBytes});
  Slab* const slab = late.acquire(SlabClass::big, false);
  ASSERT_NE(slab, nullptr);
  EXPECT_EQ(ring_->pinned_bytes(), 3ULL * kSlabBytes);
  late.release(slab);
}

TEST_F(SlabRingTest, DeviceOpenedLateGetsWhatABusyOneReleasesNext) {
  open(4);
  std::vector<Slab*> bulk = {big(), big(), big(), big()};
  SlabRing late(std::make_shared<FakeDevice>("fake:1"), *group_, {.slab_bytes = kSlabBytes});
  EXPECT_EQ(late.acquire(SlabClass::big, false), nullptr);
  EXPECT_TRUE(late.status(SlabClass::big).ok()) << "another's release will bring one";
  ring_->release(bulk[0]);
  EXPECT_EQ(late.acquire(SlabClass::big, false), nullptr) << "its small slabs took the first";
  ring_->release(bulk[1]);
  Slab* const slab = late.acquire(SlabClass::big, false);
  EXPECT_NE(slab, nullptr);
  late.release(slab);
  ring_->release(bulk[2]);
  ring_->release(bulk[3]);
}

TEST(SlabRingGroup, SixteenDevicesShareABudgetOfTwoSlabsEach) {
  PinnedBudget budget(std::uint64_t{kSlabBytes} * 32);
  SlabRingGroup group(budget);
  std::deque<SlabRing> rings;
  for (int i = 0; i < 16; ++i) {
    rings.emplace_back(std::make_shared<FakeDevice>("fake:" + std::to_string(i)), group,
                       SlabRing::Options{.slab_bytes = kSlabBytes});
  }
  // The first takes all it can get, and goes on working while the others arrive.
  std::deque<Slab*> greedy;
  while (Slab* slab = rings[0].acquire(SlabClass::big, false)) greedy.push_back(slab);
  std::set<SlabRing*> served;
  for (int turn = 0; turn < 1000 && served.size() < 15; ++turn) {
    for (std::size_t i = 1; i < rings.size(); ++i) {
      if (Slab* slab = rings[i].acquire(SlabClass::big, false)) {
        served.insert(&rings[i]);
        rings[i].release(slab);
      }
    }
    if (!greedy.empty()) {
      rings[0].release(greedy.front());
      greedy.pop_front();
    }
    if (Slab* slab = rings[0].acquire(SlabClass::big, false)) greedy.push_back(slab);
  }
  EXPECT_EQ(served.size(), 15U);
  EXPECT_LE(budget.max(), budget.limit());
  for (Slab* slab : greedy) rings[0].release(slab);
}

/// What a SlabRing of one device must do, without memory: stacks of numbers.
struct RingModel {
  std::uint32_t big_slabs_max = 0;
  std::uint32_t big_made = 0;
  std::uint32_t active = 0;
  std::uint32_t active_max = ~0U;
  std::vector<Slab*> idle_big = {};
  std::uint32_t idle_small = kSmallSlabs;
  std::uint64_t quarantined_bytes = 0;

  [[nodiscard]] bool can_acquire_big(bool urgent) const {
    return (urgent || active < active_max) && (!idle_big.empty() || big_made < big_slabs_max);
  }
  [[nodiscard]] bool can_acquire_small(bool urgent) const { return idle_small > (urgent ? 0U : 1U); }
};

TEST_F(SlabRingTest, BehavesAsItsModelUnderRandomUse) {
  constexpr std::uint64_t kSeed = 20261123;
  base::Random random(kSeed);
  RingModel model{.big_slabs_max = 5};
  open(model.big_slabs_max);
  std::vector<Slab*> out;
  for (int step = 0; step < 20000; ++step) {
    SCOPED_TRACE(testing::Message() << "seed " << kSeed << " step " << step);
    const std::uint64_t choice = random.uniform(100);
    if (choice < 50) {
      const bool urgent = random.chance(0.3);
      const bool wants_big = random.chance(0.5);
      Slab* const slab = wants_big ? big(urgent) : small(urgent);
      ASSERT_EQ(slab != nullptr, wants_big ? model.can_acquire_big(urgent) : model.can_acquire_small(urgent));
      if (slab == nullptr) continue;
      out.push_back(slab);
      if (!wants_big) {
        --model.idle_small;
      } else {
        ++model.active;
        if (model.idle_big.empty()) {
          ++model.big_made;
        } else {
          ASSERT_EQ(slab, model.idle_big.back());
          model.idle_big.pop_back();
        }
      }
    } else if (choice < 90 && !out.empty()) {
      const std::size_t which = random.uniform(out.size());
      Slab* const slab = std::exchange(out[which], out.back());
      out.pop_back();
      if (slab->quarantined) {
        model.quarantined_bytes -= slab->bytes;
      } else if (slab->size_class == SlabClass::big) {
        --model.active;
      }
      if (slab->size_class == SlabClass::big) {
        model.idle_big.push_back(slab);
      } else {
        ++model.idle_small;
      }
      ring_->release(slab);
    } else if (choice < 94 && !out.empty()) {
      Slab* const slab = out[random.uniform(out.size())];
      if (slab->quarantined) continue;
      ring_->quarantine(slab);
      model.quarantined_bytes += slab->bytes;
      if (slab->size_class == SlabClass::big) --model.active;
    } else if (choice < 97) {
      model.active_max = static_cast<std::uint32_t>(random.uniform(7));
      ring_->set_active_max(model.active_max);
    } else {
      const std::uint64_t slabs = random.uniform(3);
      const std::uint64_t trimmed = ring_->trim(slabs * kSlabBytes);
      const std::uint64_t expected = std::min<std::uint64_t>(slabs, model.idle_big.size());
      ASSERT_EQ(trimmed, expected * kSlabBytes);
      model.idle_big.erase(model.idle_big.begin(), model.idle_big.begin() + static_cast<std::ptrdiff_t>(expected));
      model.big_made -= static_cast<std::uint32_t>(expected);
    }
    ASSERT_EQ(ring_->active(), model.active);
    ASSERT_EQ(ring_->quarantined_bytes(), model.quarantined_bytes);
    ASSERT_EQ(budget_->now(), ring_->pinned_bytes());
    ASSERT_EQ(ring_->pinned_bytes(), ring_->memory().size() * kSlabBytes);
  }
  for (Slab* slab : out) ring_->release(slab);
  ring_.reset();
  EXPECT_EQ(budget_->now(), 0U);
  EXPECT_EQ(device_->registrations(), 0U);
  EXPECT_EQ(device_->mistakes(), 0U);
}

}  // namespace
}  // namespace gpuio::core
