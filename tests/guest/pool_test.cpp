// SPDX-License-Identifier: Apache-2.0
// Two hosts, each a guest with its own kernel, on memory that both see. The lane runs these tests in each of them,
// kills one host in the middle and starts it again (lane/lanes.py).
#include <gtest/gtest.h>

#include <cstdio>

#include "gpuio/pool.hpp"
#include "guest/pool_host.h"

namespace gpuio::guest {
namespace {

// The lane kills the host after one of these lines.
constexpr std::uint32_t kReportEvery = 5'000;
// Removed in the end: every so-manieth.
constexpr std::uint32_t kRemovedEvery = 100;

constexpr const char* kHeld = "the other's objects are held";
constexpr const char* kRemoved = "they are removed";

void report(const char* what, std::uint32_t count) {
  std::printf("%s %u\n", what, count);
  std::fflush(stdout);
}

/// Publishes this host's objects from `next` on, and meanwhile reads all of the other's in their order.
void publish_and_read(const PoolHost& host, const Pool& pool, PoolMember& member, std::uint32_t next) {
  Patience patience;
  std::uint32_t read = 0;
  while ((next < kObjectsOfEach || read < kObjectsOfEach) && !testing::Test::HasFailure()) {
    bool idle = true;
    if (next < kObjectsOfEach) {
      const PublishedObject own{host.rank(), next};
      throw_if_failed(member.publish(own.name(), own.bytes()));
      if (++next % kReportEvery == 0) report("published", next);
      idle = false;
    }
    if (read < kObjectsOfEach && read_if_there(pool, {host.peer(), read})) {
      if (++read % kReportEvery == 0) report("read", read);
      idle = false;
      patience.progress();
    }
    if (idle && !patience.wait(member)) return;
  }
  std::printf("fact: host %u published its %u objects, and read and proved the other's %u\n", host.rank(), next, read);
}

TEST(NewPool, IsMadeOnMemoryOfBothHosts) {
  const PoolHost host;
  const Result<Pool> pool = host.create();
  ASSERT_TRUE(pool.has_value()) << pool.status().to_string();
  EXPECT_EQ(pool->info().coherent, PoolHost::coherent());
  EXPECT_TRUE(pool->objects().empty());
  std::printf("fact: a pool of %llu MiB, flushed by %s\n",
              static_cast<unsigned long long>(pool->info().pool_bytes >> 20U),
              std::string(pool->info().flushes_by).c_str());
}

TEST(NewPool, IsNotMadeTwice) { EXPECT_EQ(PoolHost().create().status().code(), Code::already_exists); }

TEST(TwoHosts, EachReadsAllThatTheOtherPublishes) {
  const PoolHost host;
  const Pool pool = host.open().value();
  PoolMember member = pool.join({.rank = host.rank()}).value();
  publish_and_read(host, pool, member, 0);
}

TEST(RestartedHost, FindsAllThatItHadPublishedAndGoesOn) {
  const PoolHost host;
  const Pool pool = host.open().value();
  PoolMember member = host.rejoin(pool).value();
  EXPECT_EQ(member.lost_objects(), 0U);
  std::uint32_t present = 0;
  while (present < kObjectsOfEach && read_if_there(pool, {host.rank(), present})) {
    ++present;
    // Reading is no call of the member's, so nothing else would renew its lease for as long as this takes.
    throw_if_failed(member.renew().status());
  }
  EXPECT_GE(present, kReportEvery) << "it had reported more";
  EXPECT_LT(present, kObjectsOfEach) << "it was not killed in the middle";
  for (std::uint32_t later = present + 1; later < present + 100; ++later)
    EXPECT_FALSE(read_if_there(pool, {host.rank(), later})) << "it had not got that far";
  std::printf("fact: host %u had published %u objects when it was killed, and incarnation %llu found them all\n",
              host.rank(), present, static_cast<unsigned long long>(member.incarnation()));
  publish_and_read(host, pool, member, present);
}

TEST(FinishedPool, HoldsEveryObjectAndNoTraceOfTheCrash) {
  const PoolHost host;
  const Pool pool = host.open().value();
  const PoolReport report = pool.verify();
  EXPECT_EQ(report.findings, std::vector<std::string>());
  EXPECT_EQ(report.unfinished, 0U);
  EXPECT_EQ(report.objects, 2 * kObjectsOfEach);
  std::printf("fact: host %u verified %llu objects of %llu bytes: %zu findings\n", host.rank(),
              static_cast<unsigned long long>(report.objects), static_cast<unsigned long long>(report.object_bytes),
              report.findings.size());
}

/// Waits for a name by which the other host says how far it is.
void wait_for(const Pool& pool, PoolMember& member, const char* name) {
  Patience patience;
  while (!pool.find(name))
    if (!patience.wait(member)) return;
}

TEST(EmptiedPool, AnObjectThatItsHostRemovesIsStaleToTheOther) {
  const PoolHost host;
  const Pool pool = host.open().value();
  PoolMember member = pool.join({.rank = host.rank()}).value();
  if (host.rank() == 1) {
    wait_for(pool, member, kHeld);
    for (std::uint32_t number = 0; number < kObjectsOfEach; number += kRemovedEvery)
      throw_if_failed(member.remove(PublishedObject{host.rank(), number}.name()));
    throw_if_failed(member.publish(kRemoved, std::vector<std::byte>(1)));
    return;
  }
  std::vector<PoolObject> held;
  for (std::uint32_t number = 0; number < kObjectsOfEach; number += kRemovedEvery)
    held.push_back(pool.find(PublishedObject{host.peer(), number}.name()).value());
  throw_if_failed(member.publish(kHeld, std::vector<std::byte>(1)));
  wait_for(pool, member, kRemoved);
  for (const PoolObject& object : held) {
    std::vector<std::byte> bytes(object.size());
    EXPECT_EQ(object.read(bytes).code(), Code::stale);
  }
  for (std::uint32_t number = 0; number < kObjectsOfEach; number += kRemovedEvery)
    EXPECT_EQ(pool.find(PublishedObject{host.peer(), number}.name()).status().code(), Code::not_found);
  std::printf("fact: %zu objects that the other host removed are stale\n", held.size());
}

}  // namespace
}  // namespace gpuio::guest
