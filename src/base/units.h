// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gpuio/result.hpp"

namespace gpuio::base {

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

/// For people, three digits: "1.46 GiB", "51.3 GB/s" (rates count in powers of 1000, as links do), "12.5 ms".
[[nodiscard]] std::string human_size(std::uint64_t bytes);
[[nodiscard]] std::string human_rate(double bytes_per_second);
[[nodiscard]] std::string human_duration(std::uint64_t duration_ns);

}  // namespace gpuio::base
