// SPDX-License-Identifier: Apache-2.0
#include "guest/pool_host.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "gpuio/map.hpp"
#include "guest/environment.h"

namespace gpuio::guest {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 20min;

}  // namespace

std::string PublishedObject::name() const { return std::to_string(rank) + "/" + std::to_string(number); }

std::vector<std::byte> PublishedObject::bytes() const {
  std::mt19937_64 random((std::uint64_t{rank} << 32U) | number);
  std::vector<std::byte> bytes(16 + random() % 240);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

PoolHost::PoolHost()
    : rank_(static_cast<std::uint32_t>(number_of("GUEST_RANK"))),
      context_(Context::create().value()),
      store_(context_.open(text_of("GPUIO_GUEST_MEMORY"), {.mode = OpenMode::write}).value()),
      memory_(context_.map(store_, {.access = MapAccess::read_write}).value()) {}

bool PoolHost::coherent() { return number_of("GPUIO_GUEST_COHERENT") != 0; }

Result<Pool> PoolHost::create() const {
  return Pool::create(memory_,
                      {.members_max = 4,
                       .objects_per_member_max = 65536,
                       .block_bytes = 64,
                       .coherent = coherent(),
                       .lease_ns = static_cast<std::uint64_t>(number_of("GPUIO_GUEST_LEASE_S")) * 1'000'000'000});
}

Result<PoolMember> PoolHost::rejoin(const Pool& pool) const {
  JoinOptions options{.rank = rank_};
  if (number_of("GPUIO_GUEST_KNOWN_DEAD") != 0) options.dead_incarnation = pool.members()[rank_].incarnation;
  return pool.join(options);
}

bool read_if_there(const Pool& pool, const PublishedObject& object) {
  const Result<PoolObject> found = pool.find(object.name());
  if (!found) {
    EXPECT_EQ(found.error().code(), Code::not_found) << object.name() << ": " << found.error().to_string();
    return false;
  }
  const std::vector<std::byte> expected = object.bytes();
  std::vector<std::byte> read(found->size());
  throw_if_failed(found->read(read));
  EXPECT_EQ(read, expected) << object.name();
  EXPECT_EQ(found->rank(), object.rank) << object.name();
  return true;
}

bool Patience::wait(PoolMember& member) {
  const Result<std::uint64_t> renewed = member.renew();
  EXPECT_TRUE(renewed.has_value()) << renewed.status().to_string();
  const bool enough = std::chrono::steady_clock::now() - since_ > kPatience;
  EXPECT_FALSE(enough) << "the other host does nothing";
  std::this_thread::sleep_for(10ms);
  return renewed.has_value() && !enough;
}

}  // namespace gpuio::guest
