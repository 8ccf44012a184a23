// SPDX-License-Identifier: Apache-2.0
#include "core/memory/slab_preparation.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "core/memory/slab_ring.h"
#include "core/testing/fake_device.h"

namespace gpuio::core {
namespace {

constexpr std::uint32_t kSlabBytes = 2U << 20U;
constexpr std::uint64_t kPlentyBytes = std::uint64_t{1} << 40U;

/// Runs tasks when it is told to, or when somebody waits.
class HeldExecutor final : public spi::Executor {
 public:
  base::Clock& clock() noexcept override { return clock_; }
  [[nodiscard]] unsigned workers() const noexcept override { return workers_; }
  void post(spi::Task& task) override { tasks_.push_back(&task); }
  void attach(spi::Pollable& /*machine*/) override {}
  void detach(spi::Pollable& /*machine*/) override {}
  void wake() override { ++wakes; }
  bool wait(const std::atomic<std::uint32_t>& word, std::uint32_t value, std::uint64_t /*deadline_ns*/) override {
    while (word == value && run_one()) {
    }
    return word != value;
  }
  void notify(std::atomic<std::uint32_t>& /*word*/) override {}
  bool turn() override { return run_one(); }
  [[nodiscard]] int wake_fd() const noexcept override { return -1; }

  bool run_one() {
    if (tasks_.empty()) return false;
    spi::Task* const task = tasks_.front();
    tasks_.pop_front();
    task->run();
    return true;
  }
  [[nodiscard]] std::size_t held() const noexcept { return tasks_.size(); }
  void have_no_pool() { workers_ = 0; }

  unsigned wakes = 0;

 private:
  base::ManualClock clock_;
  std::deque<spi::Task*> tasks_;
  unsigned workers_ = 2;
};

class SlabPreparationTest : public testing::Test {
 protected:
  std::unique_ptr<SlabRing> open(std::uint32_t budget_slabs, std::uint32_t prepared_max) {
    budget_ = std::make_unique<PinnedBudget>(std::uint64_t{kSlabBytes} * budget_slabs);
    group_ = std::make_unique<SlabRingGroup>(*budget_);
    return std::make_unique<SlabRing>(
        device_, *group_,
        SlabRing::Options{.slab_bytes = kSlabBytes, .executor = &executor_, .prepared_max = prepared_max});
  }
  static Slab* bulk(SlabRing& ring, std::uint64_t wanted_bytes = kPlentyBytes) {
    return ring.acquire(SlabClass::big, false, wanted_bytes);
  }

  HeldExecutor executor_;
  std::shared_ptr<FakeDevice> device_ = std::make_shared<FakeDevice>();
  std::unique_ptr<PinnedBudget> budget_;
  std::unique_ptr<SlabRingGroup> group_;
};

TEST_F(SlabPreparationTest, LargeLoadHasItsSlabsMadeByThePool) {
  const auto ring = open(16, 4);
  EXPECT_EQ(bulk(*ring), nullptr) << "being made";
  EXPECT_EQ(executor_.held(), 4U);
  EXPECT_TRUE(ring->status(SlabClass::big).ok()) << "one will come";
  EXPECT_EQ(device_->register_calls(), 1U) << "the small slabs' block alone was made here";
  while (executor_.run_one()) {
  }
  EXPECT_EQ(executor_.wakes, 4U);
  std::vector<Slab*> slabs;
  for (int i = 0; i < 4; ++i) slabs.push_back(bulk(*ring));
  for (const Slab* slab : slabs) EXPECT_NE(slab, nullptr);
  EXPECT_EQ(ring->pinned_bytes(), 5ULL * kSlabBytes);
  for (Slab* slab : slabs) ring->release(slab);
}

TEST_F(SlabPreparationTest, NoMoreIsPreparedThanTheRequestWants) {
  const auto ring = open(16, 8);
  EXPECT_EQ(bulk(*ring, kSlabBytes + 1), nullptr);
  EXPECT_EQ(executor_.held(), 2U);
}

TEST_F(SlabPreparationTest, PreparationLeavesTheSmallSlabsTheirShareOfTheBudget) {
  const auto ring = open(3, 8);
  EXPECT_EQ(bulk(*ring), nullptr);
  EXPECT_EQ(executor_.held(), 2U);
  EXPECT_NE(ring->memory().size(), 0U) << "the small slabs' block is there";
  EXPECT_EQ(budget_->now(), budget_->limit());
}

TEST_F(SlabPreparationTest, WhatCantBePreparedIsMadeByWhoNeedsIt) {
  const auto ring = open(4, 1);
  device_->registrations_until_failure = 1;
  EXPECT_EQ(bulk(*ring), nullptr);
  executor_.run_one();
  Slab* const slab = bulk(*ring);
  ASSERT_NE(slab, nullptr);
  EXPECT_EQ(budget_->now(), 2ULL * kSlabBytes) << "the small slabs' and this one";
  ring->release(slab);
}

TEST_F(SlabPreparationTest, WhoNeedsWhatCantBeMadeHearsWhy) {
  const auto ring = open(4, 1);
  device_->registrations_until_failure = 1;
  EXPECT_EQ(bulk(*ring), nullptr);
  executor_.run_one();
  device_->registrations_until_failure = 0;
  EXPECT_EQ(bulk(*ring), nullptr);
  EXPECT_EQ(executor_.held(), 0U) << "not prepared in vain again";
  EXPECT_EQ(ring->status(SlabClass::big).code(), Code::resource_exhausted);
  EXPECT_EQ(budget_->now(), kSlabBytes) << "the small slabs'";
}

TEST_F(SlabPreparationTest, WhatIsPreparedHidesNoFailureOfTheFirstBlock) {
  const auto ring = open(4, 2);
  device_->registrations_until_failure = 0;
  EXPECT_EQ(bulk(*ring), nullptr);
  EXPECT_EQ(executor_.held(), 2U);
  EXPECT_EQ(ring->status(SlabClass::big).code(), Code::resource_exhausted);
}

TEST_F(SlabPreparationTest, WhatWasPreparedInVainGoesToTheRingThatNeedsIt) {
  const auto ring = open(4, 3);
  SlabRing other(device_, *group_, {.slab_bytes = kSlabBytes});
  EXPECT_EQ(bulk(*ring), nullptr);
  while (executor_.run_one()) {
  }
  EXPECT_EQ(budget_->room(), 0U);
  Slab* const given = other.acquire(SlabClass::small, false);
  ASSERT_NE(given, nullptr) << "another Request's, after the first was cancelled";
  other.release(given);
}

TEST_F(SlabPreparationTest, EndOfTheRingWaitsForItsTasksAndReturnsTheirBudget) {
  auto ring = open(16, 4);
  EXPECT_EQ(bulk(*ring), nullptr);
  executor_.run_one();
  ring.reset();
  EXPECT_EQ(executor_.held(), 0U);
  EXPECT_EQ(budget_->now(), 0U);
  EXPECT_EQ(device_->registrations(), 0U);
  EXPECT_EQ(device_->mistakes(), 0U);
}

TEST_F(SlabPreparationTest, WithoutAPoolEachIsMadeWhenItIsNeeded) {
  executor_.have_no_pool();
  const auto ring = open(16, 4);
  Slab* const slab = bulk(*ring);
  ASSERT_NE(slab, nullptr);
  EXPECT_EQ(executor_.held(), 0U);
  ring->release(slab);
}

}  // namespace
}  // namespace gpuio::core
