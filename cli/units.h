// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gpuio::cli {

/// "512 B", "1.50 GiB": three digits, binary units, as memory and files are counted.
std::string format_size(std::uint64_t bytes);

/// "52.9 GB/s": three digits, decimal units, as links and disks are sold.
std::string format_rate(double bytes_per_second);

/// "33.1 M/s": how often a second, in decimal units; "-" for 0, which means that nobody measured it.
std::string format_frequency(double per_second);

/// "161 us", "161 ms", "1.06 s", "2 min 3 s".
std::string format_seconds(double seconds);

/// Time left as a clock: "0:07", "12:03", "1:02:33"; "-:--" where it is unknown (negative, infinite) or beyond four
/// days.
std::string format_clock(double seconds);

/// "96 %"; one decimal below ten: "2.4 %".
std::string format_percent(double fraction);

/// "1 file", "3 files".
std::string format_count(std::uint64_t count, std::string_view noun);

}  // namespace gpuio::cli
