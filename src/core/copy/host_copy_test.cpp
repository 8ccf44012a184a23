// SPDX-License-Identifier: Apache-2.0
#include "core/copy/host_copy.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "base/random.h"
#include "base/testing/guarded_page.h"

namespace gpuio::core {
namespace {

std::vector<std::byte> random_bytes(base::Random& random, std::size_t bytes) {
  std::vector<std::byte> result(bytes);
  for (std::byte& byte : result) byte = static_cast<std::byte>(random.next() >> 56U);
  return result;
}

/// The first address from `memory` on that is a multiple of a line.
std::byte* line_in(std::vector<std::byte>& memory) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
  return memory.data() + (64 - address % 64) % 64;
}

TEST(HostCopy, EveryWayPastTheCachesCopiesTheSameBytes) {
  base::Random random(1);
  const std::span<const StreamingCopy> ways = streaming_copies();
#if defined(__x86_64__)
  ASSERT_FALSE(ways.empty());
#endif
  for (const StreamingCopy& way : ways) {
    for (std::size_t lines : {0U, 1U, 2U, 63U, 64U, 65U, 1000U}) {
      for (std::size_t skew = 0; skew < 64; skew += 7) {
        const auto source = random_bytes(random, lines * 64 + 64);
        auto memory = random_bytes(random, lines * 64 + 192);
        std::byte* to = line_in(memory);
        auto expected = memory;
        std::memcpy(expected.data() + (to - memory.data()), source.data() + skew, lines * 64);
        way.copy(to, source.data() + skew, lines, 0);
        streaming_fence();
        ASSERT_EQ(memory, expected) << way.name << ' ' << lines << ' ' << skew;
      }
    }
  }
}

TEST(HostCopy, AnyBytesAtAnyAlignmentAreCopiedAndNothingBeside) {
  base::Random random(2);
  for (int round = 0; round < 400; ++round) {
    const std::size_t bytes = random.uniform(round % 4 == 0 ? 100 : 20'000);
    const std::size_t from_skew = random.uniform(64);
    const std::size_t to_skew = random.uniform(64);
    const auto source = random_bytes(random, bytes + 64);
    auto memory = random_bytes(random, bytes + 128);
    auto expected = memory;
    std::memcpy(expected.data() + to_skew, source.data() + from_skew, bytes);
    const bool streamed = random.chance(0.5);
    host_copy_part(memory.data() + to_skew, source.data() + from_skew, bytes, streamed ? kStreamedBytesMin : bytes);
    ASSERT_EQ(memory, expected) << bytes << ' ' << from_skew << ' ' << to_skew << ' ' << streamed;
  }
}

TEST(HostCopy, LargeCopiesAreWhole) {
  base::Random random(3);
  for (const std::size_t bytes : {kStreamedBytesMin - 1, kStreamedBytesMin, kStreamedBytesMin + 77}) {
    const auto source = random_bytes(random, bytes);
    std::vector<std::byte> memory(bytes + 1);
    host_copy(memory.data() + 1, source.data(), bytes);
    EXPECT_EQ(std::memcmp(memory.data() + 1, source.data(), bytes), 0) << bytes;
    EXPECT_EQ(memory[0], std::byte{});
  }
}

TEST(HostCopy, ReadsNothingBeyondTheSource) {
  const base::testing::GuardedPage guarded(std::byte{0x3c});
  std::byte* const source = guarded.begin();
  const std::size_t page = guarded.size();
  std::vector<std::byte> memory(page);
  for (std::size_t bytes : {std::size_t{1}, std::size_t{63}, std::size_t{700}, page}) {
    host_copy_part(memory.data(), source + page - bytes, bytes, kStreamedBytesMin);
    host_copy_part(memory.data(), source, bytes, kStreamedBytesMin);
    EXPECT_EQ(memory[bytes - 1], std::byte{0x3c});
  }
}

TEST(HostCopy, NothingIsNoReasonToTouchMemory) { host_copy(nullptr, nullptr, 0); }

}  // namespace
}  // namespace gpuio::core
