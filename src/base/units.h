// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gpuio/result.hpp"

namespace gpuio::base {

inline constexpr std::uint64_t kKiB = std::uint64_t{1} << 10;
inline constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
inline constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
inline constexpr std::uint64_t kTiB = std::uint64_t{1} << 40;
inline constexpr std::uint64_t kPiB = std::uint64_t{1} << 50;
inline constexpr std::uint64_t kEiB = std::uint64_t{1} << 60;

inline constexpr std::uint64_t kMicrosecond = 1'000;
inline constexpr std::uint64_t kMillisecond = 1'000'000;
inline constexpr std::uint64_t kSecond = 1'000'000'000;
inline constexpr std::uint64_t kMinute = 60 * kSecond;
inline constexpr std::uint64_t kHour = 60 * kMinute;

/// "65536", "64KiB", "1.5 MB", any letter case: powers of 1024 with an i, of 1000 without. Fractions of a byte are cut.
///
/// Fails with `invalid_argument` (not a number, unknown unit, a bare K that could mean either, negative) or
/// `out_of_range` (2^64 and more); the message quotes the text.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);

/// "250us", "5ms", "1.5s", "2min", "1h"; a bare number is nanoseconds. At most 2^63-1 ns (292 years). Fails as
/// parse_size.
[[nodiscard]] Result<std::uint64_t> parse_duration(std::string_view text);

/// The shortest text that parses back to the same number: "64KiB", "1500000".
[[nodiscard]] std::string format_size(std::uint64_t bytes);
[[nodiscard]] std::string format_duration(std::uint64_t duration_ns);

}  // namespace gpuio::base
