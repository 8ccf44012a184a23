// SPDX-License-Identifier: Apache-2.0
#include "core/memory/region.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <thread>
#include <utility>
#include <vector>

#include "core/memory/memory_registry.h"
#include "core/testing/fake_device.h"

namespace gpuio::core {
namespace {

using testing::HasSubstr;

class RegionTest : public testing::Test {
 protected:
  Buffer allocate(std::uint64_t bytes = 4096, const AllocateOptions& options = {}) {
    return Region::allocate(device_, bytes, options).value();
  }

  std::shared_ptr<FakeDevice> device_ = std::make_shared<FakeDevice>();
};

TEST_F(RegionTest, BufferTellsWhatWasAskedFor) {
  const Buffer buffer = allocate(5000, {.kind = RegionKind::pinned});
  EXPECT_EQ(buffer.size(), 5000U);
  EXPECT_EQ(buffer.kind(), RegionKind::pinned);
  EXPECT_EQ(buffer.device_name(), "fake:0");
  EXPECT_NE(buffer.data(), nullptr);
}

TEST_F(RegionTest, DestroyedBufferGivesItsMemoryBack) {
  {
    const Buffer buffer = allocate();
  }
  EXPECT_EQ(device_->allocations(), 0U);
  EXPECT_EQ(device_->mistakes(), 0U);
}

TEST_F(RegionTest, BufferThatIsAssignedToFreesWhatItHad) {
  Buffer buffer = allocate();
  const Slice old = buffer;
  buffer = allocate();
  EXPECT_EQ(device_->allocations(), 1U);
  EXPECT_EQ(Region::resolve(old).error().code(), Code::stale);
}

TEST_F(RegionTest, BufferAssignedToItselfKeepsItsMemory) {
  Buffer buffer = allocate();
  Buffer& same = buffer;
  buffer = std::move(same);
  EXPECT_TRUE(buffer);
  EXPECT_EQ(device_->allocations(), 1U);
}

TEST_F(RegionTest, BadAllocationsAreRefusedBeforeTheDeviceIsAsked) {
  EXPECT_EQ(Region::allocate(device_, 0, {}).error().code(), Code::invalid_argument);
  EXPECT_EQ(Region::allocate(device_, 1, {.kind = RegionKind::user}).error().code(), Code::invalid_argument);
  EXPECT_EQ(
      Region::allocate(device_, 1, {.kind = RegionKind::pinned, .placement = Placement::bind({4095})}).error().code(),
      Code::not_found);
  EXPECT_EQ(
      Region::allocate(device_, 1, {.kind = RegionKind::device, .placement = Placement::bind({0})}).error().code(),
      Code::invalid_argument);
  EXPECT_EQ(device_->allocations(), 0U);
}

TEST_F(RegionTest, KindThatTheDeviceLacksIsRefusedWithItsReason) {
  const Status mapped = Region::allocate(device_, 1, {.kind = RegionKind::mapped}).error();
  EXPECT_EQ(mapped.code(), Code::unsupported);
  EXPECT_THAT(mapped.to_string(), HasSubstr("the fake maps nothing"));
}

TEST_F(RegionTest, PlacementReachesTheDevice) {
  const Buffer anywhere = allocate(1, {.kind = RegionKind::pinned});
  EXPECT_EQ(device_->last_placement(), Placement::local());
  const Buffer bound = allocate(1, {.kind = RegionKind::pinned, .placement = Placement::preferred(0)});
  EXPECT_EQ(device_->last_placement(), Placement::preferred(0));
}

TEST_F(RegionTest, AnAcceleratorsOwnMemoryHasNoNodesAndDoesNotMigrate) {
  const Buffer buffer = allocate();
  EXPECT_EQ(Slice(buffer).placement().error().code(), Code::unsupported);
  EXPECT_EQ(Slice(buffer).migrate(Placement::preferred(0)).error().code(), Code::unsupported);
}

TEST_F(RegionTest, MemoryThatDevicesHoldOrAPinKeepsIsBusyToMigrations) {
  const Buffer pinned = allocate(4096, {.kind = RegionKind::pinned});
  EXPECT_EQ(Slice(pinned).migrate(Placement::preferred(0)).error().code(), Code::busy);
  const auto host = std::make_shared<FakeDevice>("host", true);
  const Buffer buffer = Region::allocate(host, 4096, {}).value();
  const Pin pin = Slice(buffer).pin().value();
  const Status held = Slice(buffer).migrate(Placement::preferred(0)).error();
  EXPECT_EQ(held.code(), Code::busy);
  EXPECT_THAT(held.to_string(), HasSubstr("pins=1"));
}

TEST_F(RegionTest, AFreedBufferIsNoLongerAnywhere) {
  Buffer buffer = allocate();
  const Slice slice = buffer;
  ASSERT_TRUE(buffer.free().ok());
  EXPECT_EQ(slice.placement().error().code(), Code::stale);
  EXPECT_EQ(slice.migrate(Placement::preferred(0)).error().code(), Code::stale);
}

TEST_F(RegionTest, HostMemoryTellsItsNodesAndStaysUsableWhileItMigrates) {
  const auto host = std::make_shared<FakeDevice>("host", true);
  const Buffer buffer = Region::allocate(host, 1U << 20U, {}).value();
  std::memset(buffer.data(), 7, buffer.size());
  const Slice part = buffer.slice(1000, 100'000).value();
  const Result<PlacementReport> found = part.placement();
  if (!found) GTEST_SKIP() << found.error().to_string();
  ASSERT_EQ(found->nodes.size(), 1U);
  EXPECT_EQ(found->nodes[0].bytes, 100'000U);
  const MigrationReport moved = part.migrate(Placement::preferred(found->nodes[0].node)).value();
  EXPECT_EQ(moved.placed_pages * moved.page_bytes, 25U * 4096);
  EXPECT_EQ(buffer.data()[100'999], std::byte{7});
}

TEST_F(RegionTest, SliceStaysInsideItsRegionHoweverItIsAsked) {
  const Buffer buffer = allocate(100);
  const Slice middle = buffer.slice(10, 80).value();
  EXPECT_EQ(middle.data(), buffer.data() + 10);
  EXPECT_EQ(middle.slice(80, 0).value().size(), 0U);
  EXPECT_EQ(middle.slice(81, 0).error().code(), Code::out_of_range);
  EXPECT_EQ(middle.slice(1, 80).error().code(), Code::out_of_range);
  EXPECT_EQ(middle.slice(8, std::numeric_limits<std::uint64_t>::max()).error().code(), Code::out_of_range);
  EXPECT_EQ(buffer.slice(std::numeric_limits<std::uint64_t>::max(), 2).error().code(), Code::out_of_range);
}

TEST_F(RegionTest, SliceOfASliceResolvesToTheRightBytes) {
  const Buffer buffer = allocate(100);
  const Slice inner = buffer.slice(10, 80).value().slice(5, 20).value();
  const Resolved resolved = Region::resolve(inner).value();
  EXPECT_EQ(resolved.address, buffer.data() + 15);
  EXPECT_EQ(resolved.bytes, 20U);
}

TEST_F(RegionTest, UseAfterFreeIsStaleAndSaysSo) {
  Buffer buffer = allocate();
  const Slice slice = buffer;
  ASSERT_TRUE(buffer.free().ok());
  const Status status = Region::resolve(slice).error();
  EXPECT_EQ(status.code(), Code::stale);
  EXPECT_THAT(status.to_string(), HasSubstr("was freed"));
  EXPECT_EQ(slice.data(), nullptr);
  EXPECT_EQ(slice.slice(0, 1).error().code(), Code::stale);
  EXPECT_EQ(slice.pin().error().code(), Code::stale);
  EXPECT_FALSE(slice.can(Ability::device_copy));
}

TEST_F(RegionTest, UseAfterFreeIsStaleEvenWhileARequestHoldsTheMemory) {
  Buffer buffer = allocate();
  const Slice slice = buffer;
  Resolved request = Region::resolve(slice).value();
  ASSERT_TRUE(buffer.free().ok());
  EXPECT_EQ(Region::resolve(slice).error().code(), Code::stale);
  EXPECT_EQ(slice.data(), nullptr);
  EXPECT_EQ(slice.pin().error().code(), Code::stale);
  EXPECT_TRUE(request.region->freed());

  EXPECT_EQ(device_->allocations(), 1U);
  *request.address = std::byte{1};
  request = Resolved();
  EXPECT_EQ(device_->allocations(), 0U);
}

TEST_F(RegionTest, GenerationTellsANewBufferFromAnOldOneAtTheSameAddress) {
  std::vector<std::byte> memory(64);
  Buffer first = Region::wrap(device_, memory.data(), 64, RegionKind::user).value();
  const Slice old = first;
  ASSERT_TRUE(first.free().ok());
  const Buffer second = Region::wrap(device_, memory.data(), 64, RegionKind::user).value();
  EXPECT_EQ(second.data(), memory.data());
  EXPECT_EQ(Region::resolve(old).error().code(), Code::stale);
  EXPECT_TRUE(Region::resolve(second));
}

TEST_F(RegionTest, PinnedBufferIsBusyAndStaysAsItWas) {
  Buffer buffer = allocate(100);
  const Slice slice = buffer.slice(10, 20).value();
  {
    const Pin pin = slice.pin().value();
    EXPECT_TRUE(pin);
    EXPECT_EQ(pin.data(), buffer.data() + 10);
    EXPECT_EQ(pin.size(), 20U);
    EXPECT_EQ(buffer.free().code(), Code::busy);
    EXPECT_TRUE(buffer);
    EXPECT_TRUE(Region::resolve(slice));
  }
  EXPECT_TRUE(buffer.free().ok());
  EXPECT_EQ(device_->allocations(), 0U);
}

TEST_F(RegionTest, PinsAreCountedAndMove) {
  Buffer buffer = allocate();
  Pin first = Slice(buffer).pin().value();
  Pin second = Slice(buffer).pin().value();
  Pin moved = std::move(first);
  second = Pin();
  EXPECT_EQ(buffer.free().code(), Code::busy);
  moved = Pin();
  EXPECT_TRUE(buffer.free().ok());
}

TEST_F(RegionTest, PinOutlivesTheBufferThatWasDestroyedUnderIt) {
  Pin pin;
  Slice slice;
  {
    const Buffer buffer = allocate();
    slice = buffer;
    pin = slice.pin().value();
  }
  *pin.data() = std::byte{1};
  EXPECT_EQ(Region::resolve(slice).error().code(), Code::stale);
  EXPECT_EQ(device_->allocations(), 1U);
  pin = Pin();
  EXPECT_EQ(device_->allocations(), 0U);
}

TEST_F(RegionTest, EmptyHandlesAreClosedNotStale) {
  Buffer buffer = allocate();
  ASSERT_TRUE(buffer.free().ok());
  EXPECT_EQ(buffer.free().code(), Code::closed);
  EXPECT_EQ(buffer.slice(0, 0).error().code(), Code::closed);
  EXPECT_EQ(Region::resolve(buffer).error().code(), Code::closed);
  EXPECT_EQ(Region::resolve(Slice()).error().code(), Code::closed);
  EXPECT_EQ(Slice().pin().error().code(), Code::closed);
  EXPECT_EQ(Slice().data(), nullptr);
  EXPECT_EQ(Buffer().size(), 0U);
  EXPECT_EQ(Buffer().device_name(), "");
  EXPECT_FALSE(Buffer().can(Ability::host_load_store));
}

TEST_F(RegionTest, WrappedMemoryIsNeverFreed) {
  std::vector<std::byte> memory(64);
  {
    const Buffer buffer = Region::wrap(device_, memory.data(), 64, RegionKind::device).value();
  }
  EXPECT_EQ(device_->mistakes(), 0U);
}

TEST_F(RegionTest, NonsenseIsNotWrapped) {
  std::byte byte{};
  const auto huge = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(Region::wrap(device_, nullptr, 1, RegionKind::device).error().code(), Code::invalid_argument);
  EXPECT_EQ(Region::wrap(device_, &byte, 0, RegionKind::device).error().code(), Code::invalid_argument);
  EXPECT_EQ(Region::wrap(device_, &byte, huge, RegionKind::device).error().code(), Code::invalid_argument);
}

TEST_F(RegionTest, BufferKeepsItsDeviceAlive) {
  Buffer buffer = allocate();
  const std::weak_ptr<FakeDevice> device = device_;
  device_.reset();
  EXPECT_EQ(buffer.device_name(), "fake:0");
  ASSERT_TRUE(buffer.free().ok());
  EXPECT_TRUE(device.expired());
}

TEST_F(RegionTest, FailingFreeOfTheDeviceHurtsNobody) {
  device_->fail_free = true;
  Buffer buffer = allocate();
  EXPECT_TRUE(buffer.free().ok());
}

TEST_F(RegionTest, HostCodeMayTouchAllButTheAcceleratorsOwnMemory) {
  const Buffer own = allocate(1);
  const Buffer pinned = allocate(1, {.kind = RegionKind::pinned});
  EXPECT_FALSE(own.can(Ability::host_load_store));
  EXPECT_TRUE(pinned.can(Ability::host_load_store));
  const Buffer host = Region::allocate(std::make_shared<FakeDevice>("host", true), 1, {}).value();
  EXPECT_TRUE(host.can(Ability::host_load_store));
}

TEST_F(RegionTest, CallersMemoryIsForTheDeviceOnlyWhenItIsRegistered) {
  std::vector<std::byte> memory(64);
  const Buffer buffer = Region::wrap(device_, memory.data(), 64, RegionKind::user).value();
  EXPECT_THAT(buffer.can(Ability::device_copy).reason, HasSubstr("not registered"));
  const Registration registration =
      MemoryRegistry::process().add(device_, memory.data(), 64, spi::RegisterMode::read_write).value();
  EXPECT_TRUE(buffer.can(Ability::device_copy));
}

TEST_F(RegionTest, FreeAndPinRaceToOneWinner) {
  for (int round = 0; round < 500; ++round) {
    Buffer buffer = allocate(64);
    const Slice slice = buffer;
    Pin pin;
    std::thread pinner([&] {
      if (Result<Pin> got = slice.pin()) pin = *std::move(got);
    });
    const Status freed = buffer.free();
    pinner.join();
    EXPECT_EQ(freed.code(), pin ? Code::busy : Code::ok);
  }
}

TEST(MemoryNames, AreThoseOfTheHeader) {
  EXPECT_EQ(to_string(RegionKind::user), "user");
  EXPECT_EQ(to_string(Ability::host_load_store), "host_load_store");
  EXPECT_EQ(to_string(Ability::storage_fixed), "storage_fixed");
  EXPECT_EQ(to_string(Ability::trace_ranges), "trace_ranges");
}

}  // namespace
}  // namespace gpuio::core
