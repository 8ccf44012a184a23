// SPDX-License-Identifier: Apache-2.0
#include "core/memory/memory_registry.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "core/testing/fake_device.h"

namespace gpuio::core {
namespace {

using spi::RegisterMode;

class MemoryRegistryTest : public testing::Test {
 protected:
  Result<Registration> add(std::size_t first, std::size_t bytes, RegisterMode mode = RegisterMode::read_write) {
    return registry_.add(device_, memory_.data() + first, bytes, mode);
  }

  std::vector<std::byte> memory_ = std::vector<std::byte>(64);
  std::shared_ptr<FakeDevice> device_ = std::make_shared<FakeDevice>();
  MemoryRegistry registry_;
};

TEST_F(MemoryRegistryTest, GenerationsAreNeverZeroAndNeverRepeat) {
  const std::uint64_t first = registry_.next_generation();
  EXPECT_NE(first, 0U);
  EXPECT_GT(registry_.next_generation(), first);
}

TEST_F(MemoryRegistryTest, SecondUserOfARangeSharesTheRegistrationUntilTheLastGoes) {
  Registration first = add(0, 32).value();
  Registration second = add(8, 16).value();
  EXPECT_EQ(device_->register_calls(), 1U);
  first = Registration();
  EXPECT_EQ(device_->registrations(), 1U);
  second = Registration();
  EXPECT_EQ(device_->registrations(), 0U);
  EXPECT_EQ(device_->mistakes(), 0U);
}

TEST_F(MemoryRegistryTest, RangesThatOverlapInPartAreBusyAndNeverReachTheDevice) {
  const Registration held = add(16, 16).value();
  EXPECT_EQ(add(8, 16).error().code(), Code::busy);
  EXPECT_EQ(add(24, 16).error().code(), Code::busy);
  EXPECT_EQ(add(8, 32).error().code(), Code::busy);
  EXPECT_EQ(device_->register_calls(), 1U);
}

TEST_F(MemoryRegistryTest, NeighboursDoNotOverlap) {
  const Registration middle = add(16, 16).value();
  EXPECT_TRUE(add(0, 16));
  EXPECT_TRUE(add(32, 16));
}

TEST_F(MemoryRegistryTest, ReadOnlyRegistrationIsNoneForAWriter) {
  const Registration held = add(0, 32, RegisterMode::read_only).value();
  EXPECT_TRUE(add(0, 32, RegisterMode::read_only));
  EXPECT_EQ(add(0, 32, RegisterMode::read_write).error().code(), Code::busy);
}

TEST_F(MemoryRegistryTest, DevicesRegisterTheSameRangeEachForItself) {
  const auto other = std::make_shared<FakeDevice>("fake:1");
  const Registration here = add(0, 32).value();
  const Registration there = registry_.add(other, memory_.data(), 32, RegisterMode::read_write).value();
  EXPECT_EQ(other->registrations(), 1U);
  EXPECT_EQ(device_->registrations(), 1U);
}

TEST_F(MemoryRegistryTest, TwoContextsWithTheSameDeviceShareOneRegistration) {
  const auto again = std::make_shared<FakeDevice>(device_->info().name);
  const Registration first = add(0, 32).value();
  const Registration second = registry_.add(again, memory_.data(), 32, RegisterMode::read_write).value();
  EXPECT_EQ(again->register_calls(), 0U);
}

TEST_F(MemoryRegistryTest, FailedRegistrationLeavesNothingAndMayBeTriedAgain) {
  device_->registrations_until_failure = 0;
  EXPECT_EQ(add(0, 32).error().code(), Code::resource_exhausted);
  EXPECT_EQ(registry_.registered_bytes(), 0U);
  EXPECT_TRUE(add(0, 32));
}

TEST_F(MemoryRegistryTest, FailedUnregistrationIsForgotten) {
  device_->fail_unregister = true;
  {
    const Registration held = add(0, 32).value();
  }
  EXPECT_EQ(registry_.registered_bytes(), 0U);
}

TEST_F(MemoryRegistryTest, CoversAnswersForWholeRangesOfOneRegistration) {
  const Registration held = add(16, 16).value();
  const std::string& name = device_->info().name;
  EXPECT_TRUE(registry_.covers(name, memory_.data() + 16, 16));
  EXPECT_TRUE(registry_.covers(name, memory_.data() + 20, 4));
  EXPECT_FALSE(registry_.covers(name, memory_.data() + 15, 2));
  EXPECT_FALSE(registry_.covers(name, memory_.data() + 31, 2));
  EXPECT_FALSE(registry_.covers("fake:1", memory_.data() + 16, 16));
}

TEST_F(MemoryRegistryTest, ThreadsThatFightForOneRangeEachGetItWholeOrBusy) {
  std::vector<std::thread> threads;
  std::atomic<int> got{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        const Result<Registration> held = add(0, 32);
        if (held) {
          EXPECT_EQ(device_->registrations(), 1U);
          ++got;
        } else {
          EXPECT_EQ(held.error().code(), Code::busy);
          EXPECT_TRUE(held.error().retryable());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(got, 0);
  EXPECT_EQ(device_->registrations(), 0U);
  EXPECT_EQ(device_->mistakes(), 0U);
}

}  // namespace
}  // namespace gpuio::core
