// SPDX-License-Identifier: Apache-2.0
#include "core/copy/host_fill.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "core/copy/host_copy.h"

namespace gpuio::core {
namespace {

TEST(HostFill, EveryByteIsThePatternsAndNothingBesideIsTouched) {
  base::Random random(1);
  for (int round = 0; round < 600; ++round) {
    std::vector<std::byte> bytes(1 + random.uniform(FillPattern::kBytesMax));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next() >> 56U);
    const FillPattern pattern = FillPattern::of(bytes);
    const std::size_t skew = random.uniform(70);
    const std::size_t length = random.uniform(round % 3 == 0 ? 100 : 20'000);
    const std::uint64_t phase = random.uniform(1000);
    std::vector<std::byte> memory(length + 140, std::byte{0xa5});
    auto expected = memory;
    for (std::size_t i = 0; i < length; ++i) expected[skew + i] = bytes[(phase + i) % bytes.size()];
    host_fill(memory.data() + skew, length, pattern, phase, random.chance(0.5) ? kStreamedBytesMin : length);
    ASSERT_EQ(memory, expected) << "pattern of " << bytes.size() << ", " << length << " bytes";
  }
}

TEST(HostFill, PartsOfOneFillMeet) {
  const std::vector<std::byte> bytes{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}, std::byte{5}};
  const FillPattern pattern = FillPattern::of(bytes);
  std::vector<std::byte> memory(50'000);
  for (std::size_t at = 0; at < memory.size(); at += 12'500) {
    host_fill(memory.data() + at, 12'500, pattern, at, kStreamedBytesMin);
  }
  for (std::size_t i = 0; i < memory.size(); ++i) ASSERT_EQ(memory[i], bytes[i % 5]) << i;
}

TEST(HostFill, KnowsWhenOneByteSaysItAll) {
  const std::byte same[] = {std::byte{7}, std::byte{7}, std::byte{7}};
  const std::byte other[] = {std::byte{7}, std::byte{7}, std::byte{8}};
  EXPECT_TRUE(FillPattern::of(same).is_one_byte());
  EXPECT_FALSE(FillPattern::of(other).is_one_byte());
}

}  // namespace
}  // namespace gpuio::core
