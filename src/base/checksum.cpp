// SPDX-License-Identifier: Apache-2.0
#include "base/checksum.h"

#include <array>
#include <bit>
#include <cassert>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace gpuio::base {
namespace {

// Castagnoli's polynomial, bits reversed: bit 31 is x^0.
constexpr std::uint32_t kPolynomial = 0x82f63b78;
constexpr std::uint32_t kOne = 0x80000000;

/// a * b modulo the polynomial.
constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) noexcept {
  std::uint32_t product = 0;
  for (std::uint32_t bit = kOne; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) product ^= b;
    b = (b & 1) != 0 ? (b >> 1) ^ kPolynomial : b >> 1;
  }
  return product;
}

/// x^(8 * bytes) modulo the polynomial: multiplying a checksum by it appends that many zero bytes.
constexpr std::uint32_t shift_by(std::uint64_t bytes) noexcept {
  std::uint32_t result = kOne;
  std::uint32_t power = kOne >> 8;
  for (; bytes != 0; bytes >>= 1) {
    if ((bytes & 1) != 0) result = multiply(result, power);
    power = multiply(power, power);
  }
  return result;
}

/// kTables[k][b]: what byte b does to the checksum when k zero bytes follow it.
constexpr auto kTables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ kPolynomial : crc >> 1;
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < tables.size(); ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t previous = tables[k - 1][byte];
      tables[k][byte] = (previous >> 8) ^ tables[0][previous & 0xff];
    }
  }
  return tables;
}();

std::uint64_t load_word(const std::byte* bytes) noexcept {
  static_assert(std::endian::native == std::endian::little);
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

#if defined(__x86_64__)
// The instruction takes three cycles and starts every cycle: three lanes keep it busy. Joining them costs about as much
// as 250 bytes, so lanes are long.
constexpr std::size_t kLaneBytes = 4096;
constexpr std::uint32_t kShiftOneLane = shift_by(kLaneBytes);
constexpr std::uint32_t kShiftTwoLanes = shift_by(2 * kLaneBytes);

__attribute__((target("sse4.2"))) std::uint32_t hash_three_lanes(const std::byte* bytes, std::uint32_t crc) noexcept {
  std::uint64_t first = crc;
  std::uint64_t second = 0;
  std::uint64_t third = 0;
  for (std::size_t i = 0; i < kLaneBytes; i += sizeof(std::uint64_t)) {
    first = _mm_crc32_u64(first, load_word(bytes + i));
    second = _mm_crc32_u64(second, load_word(bytes + kLaneBytes + i));
    third = _mm_crc32_u64(third, load_word(bytes + 2 * kLaneBytes + i));
  }
  return multiply(static_cast<std::uint32_t>(first), kShiftTwoLanes) ^
         multiply(static_cast<std::uint32_t>(second), kShiftOneLane) ^ static_cast<std::uint32_t>(third);
}

__attribute__((target("sse4.2"))) std::uint32_t hash_hardware(std::span<const std::byte> bytes,
                                                              std::uint32_t crc) noexcept {
  for (; bytes.size() >= 3 * kLaneBytes; bytes = bytes.subspan(3 * kLaneBytes)) {
    crc = hash_three_lanes(bytes.data(), crc);
  }
  std::uint64_t wide = crc;
  for (; bytes.size() >= sizeof(wide); bytes = bytes.subspan(sizeof(wide))) {
    wide = _mm_crc32_u64(wide, load_word(bytes.data()));
  }
  crc = static_cast<std::uint32_t>(wide);
  for (const std::byte byte : bytes) crc = _mm_crc32_u8(crc, static_cast<std::uint8_t>(byte));
  return crc;
}
#endif

}  // namespace

bool crc32c_has_hardware() noexcept {
#if defined(__x86_64__)
  return __builtin_cpu_supports("sse4.2") != 0;
#else
  return false;
#endif
}

std::uint32_t crc32c_hardware([[maybe_unused]] std::span<const std::byte> bytes, std::uint32_t crc) noexcept {
  assert(crc32c_has_hardware());
#if defined(__x86_64__)
  return ~hash_hardware(bytes, ~crc);
#else
  return crc;
#endif
}

std::uint32_t crc32c_software(std::span<const std::byte> bytes, std::uint32_t crc) noexcept {
  crc = ~crc;
  for (; bytes.size() >= sizeof(std::uint64_t); bytes = bytes.subspan(sizeof(std::uint64_t))) {
    const std::uint64_t word = load_word(bytes.data()) ^ crc;
    crc = 0;
    for (std::size_t i = 0; i < kTables.size(); ++i) {
      crc ^= kTables[kTables.size() - 1 - i][(word >> (8 * i)) & 0xff];
    }
  }
  for (const std::byte byte : bytes) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<std::uint32_t>(byte)) & 0xff];
  }
  return ~crc;
}

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc) noexcept {
  static const bool has_hardware = crc32c_has_hardware();
  return has_hardware ? crc32c_hardware(bytes, crc) : crc32c_software(bytes, crc);
}

std::uint32_t crc32c_combine(std::uint32_t first, std::uint32_t second, std::uint64_t second_bytes) noexcept {
  return multiply(first, shift_by(second_bytes)) ^ second;
}

}  // namespace gpuio::base
