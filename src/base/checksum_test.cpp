// SPDX-License-Identifier: Apache-2.0
#include "base/checksum.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

#include "base/random.h"

namespace gpuio::base {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::vector<std::byte> random_bytes(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
  return bytes;
}

// From RFC 3720, appendix B.4.
TEST(Crc32c, GivesTheVectorsOfTheStandard) {
  EXPECT_EQ(crc32c({}), 0U);
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xe3069283U);
  EXPECT_EQ(crc32c(std::vector<std::byte>(32, std::byte{0})), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::vector<std::byte>(32, std::byte{0xff})), 0x62a8ab43U);
  std::vector<std::byte> ascending(32);
  for (std::size_t i = 0; i < ascending.size(); ++i) ascending[i] = static_cast<std::byte>(i);
  EXPECT_EQ(crc32c(ascending), 0x46dd794eU);
  EXPECT_EQ(crc32c_software(ascending, 0), 0x46dd794eU);
}

TEST(Crc32c, HardwareAndSoftwareAgreeAtEveryLengthAndAlignment) {
  if (!crc32c_has_hardware()) GTEST_SKIP() << "this processor has no SSE4.2";
  const std::vector<std::byte> bytes = random_bytes(40'000, 1);
  const std::span all(bytes);
  for (std::size_t length = 0; length < 300; ++length) {
    for (std::size_t offset = 0; offset < 9; ++offset) {
      const auto part = all.subspan(offset, length);
      ASSERT_EQ(crc32c_hardware(part, 7), crc32c_software(part, 7)) << offset << " " << length;
    }
  }
  // Around one and two rounds of three lanes.
  for (const std::size_t length : {12287U, 12288U, 12289U, 24575U, 24576U, 24585U, 40'000U}) {
    const auto part = all.first(length);
    ASSERT_EQ(crc32c_hardware(part, 7), crc32c_software(part, 7)) << length;
  }
}

TEST(Crc32c, PartsInOrderOrCombinedGiveTheWhole) {
  const std::vector<std::byte> bytes = random_bytes(30'000, 2);
  const std::span all(bytes);
  const std::uint32_t whole = crc32c(all);
  for (const std::size_t cut : {0U, 1U, 7U, 4096U, 12'288U, 29'999U, 30'000U}) {
    const auto first = all.first(cut);
    const auto second = all.subspan(cut);
    EXPECT_EQ(crc32c(second, crc32c(first)), whole) << cut;
    EXPECT_EQ(crc32c_combine(crc32c(first), crc32c(second), second.size()), whole) << cut;
  }
}

TEST(Crc32c, EveryFlippedBitShows) {
  std::vector<std::byte> bytes = random_bytes(100, 3);
  const std::uint32_t whole = crc32c(bytes);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const auto mask = static_cast<std::byte>(1U << (bit % 8));
    bytes[bit / 8] ^= mask;
    ASSERT_NE(crc32c(bytes), whole) << bit;
    bytes[bit / 8] ^= mask;
  }
}

}  // namespace
}  // namespace gpuio::base
