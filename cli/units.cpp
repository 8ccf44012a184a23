// SPDX-License-Identifier: Apache-2.0
#include "cli/units.h"

#include <array>
#include <cmath>
#include <span>

#include <fmt/core.h>

namespace gpuio::cli {
namespace {

/// Scales `value` down by `base` until it is printed with at most three digits before the point.
std::string scaled(double value, double base, std::span<const std::string_view> units) {
  std::size_t unit = 0;
  // 999.5 would print as 1000.
  while (value >= 999.5 && unit + 1 < units.size()) {
    value /= base;
    ++unit;
  }
  const int decimals = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f} {}", value, decimals, units[unit]);
}

}  // namespace

std::string format_size(std::uint64_t bytes) {
  static constexpr std::array<std::string_view, 7> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  return scaled(static_cast<double>(bytes), 1024, kUnits);
}

std::string format_rate(double bytes_per_second) {
  static constexpr std::array<std::string_view, 6> kUnits{"B/s", "kB/s", "MB/s", "GB/s", "TB/s", "PB/s"};
  if (!std::isfinite(bytes_per_second) || bytes_per_second < 0) return "- B/s";
  return scaled(bytes_per_second, 1000, kUnits);
}

std::string format_frequency(double per_second) {
  static constexpr std::array<std::string_view, 5> kUnits{"/s", "k/s", "M/s", "G/s", "T/s"};
  if (!std::isfinite(per_second) || per_second <= 0) return "-";
  return scaled(per_second, 1000, kUnits);
}

std::string format_seconds(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "-";
  if (seconds < 0.9995e-3) return fmt::format("{:.0f} us", seconds * 1e6);
  if (seconds < 0.9995)
    return fmt::format("{:.{}f} ms", seconds * 1e3, seconds < 9.995e-3 ? 2 : seconds < 99.95e-3 ? 1 : 0);
  if (seconds < 99.95) return fmt::format("{:.{}f} s", seconds, seconds < 9.995 ? 2 : 1);
  const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string format_clock(double seconds) {
  constexpr double kLongest = 4 * 24 * 3600;
  if (!std::isfinite(seconds) || seconds < 0 || seconds > kLongest) return "-:--";
  // Rounded up: "0:00 left" while there is work left would be a lie.
  const auto whole = static_cast<std::uint64_t>(std::ceil(seconds));
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole % 3600 / 60, whole % 60);
}

std::string format_percent(double fraction) {
  if (!std::isfinite(fraction)) return "- %";
  const double percent = fraction * 100;
  return fmt::format("{:.{}f} %", percent, percent > 0 && percent < 9.95 ? 1 : 0);
}

std::string format_count(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace gpuio::cli
