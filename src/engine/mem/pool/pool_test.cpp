// SPDX-License-Identifier: Apache-2.0
// The public interface, on real memory.
#include "gpuio/pool.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include <sys/mman.h>

#include "gpuio/context.hpp"

namespace gpuio {
namespace {

constexpr std::uint64_t kPoolBytes = 8U << 20;

std::vector<std::byte> pattern(std::size_t bytes, unsigned seed) {
  std::vector<std::byte> made(bytes);
  for (std::size_t i = 0; i < bytes; ++i) made[i] = static_cast<std::byte>(i * 31 + seed);
  return made;
}

/// Each case on memory that caches keep coherent, and on memory that is flushed.
class PoolTest : public ::testing::TestWithParam<bool> {
 protected:
  PoolOptions options() const {
    return {.members_max = 4,
            .objects_per_member_max = 64,
            .chunk_bytes = 64U << 10,
            .coherent = GetParam(),
            .lease_ns = 60'000'000'000,  // However slow the machine is.
            .settle_ns = 20'000'000};
  }
  Pool create() { return Pool::create(memory_, options()).value(); }
  static std::vector<std::byte> read(const PoolObject& object) {
    std::vector<std::byte> bytes(object.size());
    throw_if_failed(object.read(bytes));
    return bytes;
  }

  Context context_ = Context::create().value();
  Buffer memory_ = context_.device("host").value().allocate(kPoolBytes).value();
};

INSTANTIATE_TEST_SUITE_P(, PoolTest, ::testing::Bool(),
                         [](const auto& chosen) { return chosen.param ? "Coherent" : "Flushed"; });

TEST_P(PoolTest, WhatOneMemberPublishesAnotherHandleReads) {
  const Pool pool = create();
  PoolMember member = pool.join().value();
  const auto bytes = pattern(10'000, 1);
  ASSERT_TRUE(member.publish("weights", bytes).ok());

  const Pool other = Pool::open(memory_).value();
  EXPECT_EQ(other.info().uuid, pool.info().uuid);
  const PoolObject object = other.find("weights").value();
  EXPECT_EQ(object.size(), bytes.size());
  EXPECT_EQ(object.rank(), member.rank());
  EXPECT_EQ(read(object), bytes);
  const auto view = object.view().value();
  EXPECT_TRUE(std::ranges::equal(view, bytes));
  EXPECT_TRUE(object.check().ok());
}

TEST_P(PoolTest, ARemovedObjectIsStaleForWhoHoldsIt) {
  const Pool pool = create();
  PoolMember member = pool.join().value();
  ASSERT_TRUE(member.publish("a", pattern(4096, 1)).ok());
  const PoolObject object = pool.find("a").value();
  ASSERT_TRUE(member.remove("a").ok());
  ASSERT_TRUE(member.publish("b", pattern(4096, 2)).ok());  // In its place.
  std::vector<std::byte> into(4096);
  EXPECT_EQ(object.read(into).code(), Code::stale);
  EXPECT_EQ(object.view().error().code(), Code::stale);
  EXPECT_EQ(object.check().code(), Code::stale);
  EXPECT_EQ(pool.find("a").error().code(), Code::not_found);
  EXPECT_EQ(pool.statistics().stale, 3U);
}

TEST_P(PoolTest, AReservationIsWrittenInPlaceAndSeenOnlyWhenCommitted) {
  const Pool pool = create();
  PoolMember member = pool.join().value();
  PoolReservation reservation = member.reserve("tensor", 5000).value();
  ASSERT_EQ(reservation.bytes().size(), 5000U);
  EXPECT_EQ(pool.find("tensor").error().code(), Code::not_found);
  EXPECT_EQ(member.publish("tensor", {}).code(), Code::busy);
  EXPECT_EQ(member.leave().code(), Code::busy);
  const auto bytes = pattern(5000, 3);
  std::ranges::copy(bytes, reservation.bytes().begin());
  ASSERT_TRUE(reservation.commit().ok());
  EXPECT_EQ(reservation.commit().code(), Code::closed);
  EXPECT_EQ(read(pool.find("tensor").value()), bytes);
}

TEST_P(PoolTest, AReservationThatIsDroppedGivesNameAndSpaceBack) {
  const Pool pool = create();
  PoolMember member = pool.join().value();
  {
    const PoolReservation dropped = member.reserve("x", pool.info().data_bytes / 2).value();
  }
  EXPECT_TRUE(member.reserve("x", pool.info().data_bytes).has_value());
  EXPECT_TRUE(member.leave().ok());
}

TEST_P(PoolTest, ANameIsPublishedOnceByWhomever) {
  const Pool pool = create();
  PoolMember first = pool.join().value();
  PoolMember second = pool.join().value();
  EXPECT_NE(first.rank(), second.rank());
  ASSERT_TRUE(first.publish("n", pattern(10, 1)).ok());
  EXPECT_EQ(first.publish("n", pattern(10, 2)).code(), Code::already_exists);
  EXPECT_EQ(second.publish("n", pattern(10, 2)).code(), Code::already_exists);
  EXPECT_EQ(second.remove("n").code(), Code::permission_denied);
  EXPECT_EQ(second.remove("m").code(), Code::not_found);
  const PoolReservation held = first.reserve("m", 10).value();
  EXPECT_EQ(second.publish("m", pattern(10, 2)).code(), Code::busy);
  EXPECT_EQ(first.remove("m").code(), Code::busy);
}

TEST_P(PoolTest, NamesAndSizesThatCantBeAreRefusedAndNothingChanges) {
  const Pool pool = create();
  PoolMember member = pool.join().value();
  EXPECT_EQ(member.publish("", {}).code(), Code::invalid_argument);
  EXPECT_EQ(member.publish(std::string(193, 'x'), {}).code(), Code::invalid_argument);
  EXPECT_TRUE(member.publish(std::string(192, 'x'), {}).ok());
  EXPECT_EQ(pool.find(std::string(193, 'x')).error().code(), Code::invalid_argument);
  EXPECT_EQ(member.reserve("huge", ~std::uint64_t{0}).error().code(), Code::no_space);
  EXPECT_EQ(member.reserve("large", pool.info().data_bytes + 1).error().code(), Code::no_space);
  std::vector<std::byte> into(1);
  EXPECT_EQ(pool.find(std::string(192, 'x'))->read(into).code(), Code::invalid_argument);
  EXPECT_EQ(pool.objects().size(), 1U);
  EXPECT_EQ(pool.verify().findings, std::vector<std::string>());
}

TEST_P(PoolTest, AFullPoolSaysSoAndHasRoomAgainAfterARemoval) {
  const Pool pool = create();
  PoolMember member = pool.join().value();
  const auto bytes = pattern(64U << 10, 1);
  int published = 0;
  Status status;
  while ((status = member.publish("o" + std::to_string(published), bytes)).ok()) ++published;
  EXPECT_EQ(status.code(), Code::no_space) << status.to_string();
  EXPECT_EQ(published, 64);  // As many as a member may have.
  EXPECT_TRUE(member.remove("o7").ok());
  EXPECT_TRUE(member.publish("again", bytes).ok());
}

TEST_P(PoolTest, WhoTakesARankOverHasItsObjects) {
  const Pool pool = create();
  std::uint64_t incarnation = 0;
  {
    PoolMember member = pool.join({.rank = 2}).value();
    incarnation = member.incarnation();
    ASSERT_TRUE(member.publish("kept", pattern(100, 1)).ok());
  }
  PoolMember next = pool.join({.rank = 2}).value();
  EXPECT_GT(next.incarnation(), incarnation);
  EXPECT_EQ(read(pool.find("kept").value()), pattern(100, 1));
  EXPECT_TRUE(next.remove("kept").ok());
}

TEST_P(PoolTest, AMemberThatWasFencedCanDoNothing) {
  const Pool pool = create();
  PoolMember fenced = pool.join({.rank = 1}).value();
  PoolMember next = pool.join({.rank = 1, .dead_incarnation = fenced.incarnation()}).value();
  EXPECT_EQ(fenced.renew().error().code(), Code::stale);
  EXPECT_EQ(fenced.publish("late", {}).code(), Code::stale);
  EXPECT_EQ(fenced.remove("late").code(), Code::stale);
  EXPECT_EQ(fenced.leave().code(), Code::stale);
  EXPECT_TRUE(next.publish("n", {}).ok());
}

TEST_P(PoolTest, RanksRunOutWithAnError) {
  const Pool pool = create();
  std::vector<PoolMember> members;
  for (int i = 0; i < 4; ++i) members.push_back(pool.join().value());
  EXPECT_EQ(pool.join().error().code(), Code::resource_exhausted);
  EXPECT_EQ(pool.join({.rank = 4}).error().code(), Code::out_of_range);
}

TEST_P(PoolTest, ListsObjectsAndMembersAndCounts) {
  const Pool pool = create();
  PoolMember member = pool.join({.rank = 3}).value();
  ASSERT_TRUE(member.publish("a", pattern(5000, 1)).ok());
  ASSERT_TRUE(member.renew().has_value());
  const auto objects = pool.objects();
  ASSERT_EQ(objects.size(), 1U);
  EXPECT_EQ(objects[0].name, "a");
  EXPECT_EQ(objects[0].bytes, 5000U);
  EXPECT_EQ(objects[0].rank, 3U);
  const auto members = pool.members();
  ASSERT_EQ(members.size(), 4U);
  EXPECT_EQ(members[0].state, PoolMemberInfo::State::never);
  EXPECT_EQ(members[3].state, PoolMemberInfo::State::active);
  EXPECT_EQ(members[3].objects, 1U);
  EXPECT_EQ(members[3].used_bytes, 8192U);
  EXPECT_EQ(pool.statistics().published_bytes, 5000U);
  ASSERT_TRUE(member.leave().ok());
  EXPECT_EQ(pool.members()[3].state, PoolMemberInfo::State::left);
}

TEST_P(PoolTest, DamagedBytesAndSlotsAreErrorsAndVerifyNamesThem) {
  const Pool pool = create();
  PoolMember member = pool.join().value();
  ASSERT_TRUE(member.publish("a", pattern(4096, 1)).ok());
  const PoolObject object = pool.find("a").value();
  const std::byte* const inside = object.view()->data();
  EXPECT_EQ(pool.verify().findings, std::vector<std::string>());
  *const_cast<std::byte*>(inside + 77) ^= std::byte{4};
  std::vector<std::byte> into(4096);
  EXPECT_EQ(object.read(into).code(), Code::corrupt);
  EXPECT_TRUE(object.read(into).data_loss());
  EXPECT_EQ(pool.verify().findings.size(), 1U);
}

TEST_P(PoolTest, CreateKeepsWhatIsThereUnlessItIsToldTo) {
  {
    static_cast<void>(create());
  }
  EXPECT_EQ(Pool::create(memory_, options()).error().code(), Code::already_exists);
  std::memset(memory_.data() + 8, 0xff, 8);  // Another version's, as far as anyone can tell.
  EXPECT_EQ(Pool::open(memory_).error().code(), Code::unsupported);
  EXPECT_EQ(Pool::create(memory_, options()).error().code(), Code::already_exists);
  PoolOptions over = options();
  over.overwrite = true;
  EXPECT_TRUE(Pool::create(memory_, over).has_value());
}

TEST_P(PoolTest, MemoryThatIsNoPoolIsRefused) {
  std::memset(memory_.data(), 0, 4096);
  EXPECT_EQ(Pool::open(memory_).error().code(), Code::not_found);
  EXPECT_EQ(Pool::open(memory_.slice(0, 64).value()).error().code(), Code::not_found);
  EXPECT_EQ(Pool::open(memory_.slice(8, 4096).value()).error().code(), Code::invalid_argument);
  EXPECT_EQ(Pool::create(memory_.slice(0, 4096).value()).error().code(), Code::out_of_range);
  static_cast<void>(create());
  EXPECT_EQ(Pool::open(memory_.slice(0, kPoolBytes / 2).value()).error().code(), Code::out_of_range);
}

TEST_P(PoolTest, ItsMemoryCantBeFreedWhileItIsOpen) {
  std::optional<Pool> pool = create();
  EXPECT_EQ(memory_.free().code(), Code::busy);
  const Slice slice = memory_;
  pool.reset();
  EXPECT_TRUE(memory_.free().ok());
  EXPECT_EQ(Pool::open(slice).error().code(), Code::stale);
}

}  // namespace
}  // namespace gpuio
