// SPDX-License-Identifier: Apache-2.0
#include "base/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <span>

#include "base/text.h"

namespace gpuio::base {
namespace {

// Products of two 64-bit numbers; the standard has no such type.
__extension__ typedef unsigned __int128 Wide;

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<Unit, 12> kSizeUnits = {{
    {"EiB", kEiB},
    {"PiB", kPiB},
    {"TiB", kTiB},
    {"GiB", kGiB},
    {"MiB", kMiB},
    {"KiB", kKiB},
    {"PB", 1'000'000'000'000'000},
    {"TB", 1'000'000'000'000},
    {"GB", 1'000'000'000},
    {"MB", 1'000'000},
    {"KB", 1'000},
    {"B", 1},
}};
constexpr std::size_t kBinaryUnits = 6;

constexpr std::array<Unit, 6> kDurationUnits = {{
    {"h", kHour},
    {"min", kMinute},
    {"s", kSecond},
    {"ms", kMillisecond},
    {"us", kMicrosecond},
    {"ns", 1},
}};

constexpr char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, {}, to_lower, to_lower);
}

struct Quantity {
  std::string_view kind;  ///< For messages: "size"
  std::string_view example;
  std::span<const Unit> units;
  std::uint64_t max;
};

Status bad(const Quantity& quantity, Code code, std::string_view text, std::string_view why) {
  return Status(code, fmt::format("'{}' is not a {}: {}", text, quantity.kind, why));
}

/// A decimal number, exactly: `whole` + `fraction` / `scale`.
struct Decimal {
  std::uint64_t whole = 0;
  std::uint64_t fraction = 0;
  std::uint64_t scale = 1;
};

/// Takes a decimal number off the front of `text`; false if there is none or its whole part overflows.
bool take_decimal(std::string_view& text, Decimal& number, bool& overflow) noexcept {
  const std::size_t size_before = text.size();
  for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1)) {
    const auto digit = static_cast<std::uint64_t>(text.front() - '0');
    overflow |= __builtin_mul_overflow(number.whole, 10U, &number.whole);
    overflow |= __builtin_add_overflow(number.whole, digit, &number.whole);
  }
  if (text.size() == size_before) return false;
  if (text.empty() || text.front() != '.') return true;
  text.remove_prefix(1);
  const std::size_t size_of_fraction = text.size();
  for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1)) {
    // 18 digits fit and are finer than any unit; what follows them changes nothing.
    if (number.scale >= 1'000'000'000'000'000'000) continue;
    number.fraction = number.fraction * 10 + static_cast<std::uint64_t>(text.front() - '0');
    number.scale *= 10;
  }
  return text.size() != size_of_fraction;
}

std::string unit_names(const Quantity& quantity) {
  std::string names;
  for (const Unit& unit : quantity.units) names.append(names.empty() ? "" : ", ").append(unit.name);
  return names;
}

Result<std::uint64_t> parse(const Quantity& quantity, std::string_view text) {
  std::string_view rest = trim(text);
  Decimal number;
  bool overflow = false;
  if (!take_decimal(rest, number, overflow)) {
    const bool negative = !rest.empty() && rest.front() == '-';
    return bad(quantity, Code::invalid_argument, text,
               negative ? std::string("it is negative") : fmt::format("write it like {}", quantity.example));
  }
  rest = trim(rest);
  std::uint64_t factor = rest.empty() ? 1 : 0;
  for (const Unit& unit : quantity.units) {
    if (equal_ignoring_case(unit.name, rest)) factor = unit.factor;
  }
  if (factor == 0) {
    return bad(quantity, Code::invalid_argument, text,
               fmt::format("'{}' is none of the units {}", rest, unit_names(quantity)));
  }
  const Wide total = Wide{number.whole} * factor + Wide{number.fraction} * factor / number.scale;
  if (overflow || total > quantity.max) {
    return bad(quantity, Code::out_of_range, text, fmt::format("it is more than {}", quantity.max));
  }
  return static_cast<std::uint64_t>(total);
}

/// `value` in the largest unit that divides it, if that has a shorter form than the bare number.
std::string format_exact(std::span<const Unit> units, std::uint64_t value) {
  for (const Unit& unit : units) {
    if (value != 0 && unit.factor > 1 && value % unit.factor == 0) {
      return fmt::format("{}{}", value / unit.factor, unit.name);
    }
  }
  return fmt::format("{}", value);
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  return parse({"size", "64KiB, 1.5GB or 4096", kSizeUnits, std::numeric_limits<std::uint64_t>::max()}, text);
}

Result<std::uint64_t> parse_duration(std::string_view text) {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return parse({"duration", "5ms, 1.5s or 0", kDurationUnits, kMax}, text);
}

std::string format_size(std::uint64_t bytes) { return format_exact(std::span(kSizeUnits).first(kBinaryUnits), bytes); }

std::string format_duration(std::uint64_t duration_ns) {
  if (duration_ns == 0) return "0";
  const std::string text = format_exact(kDurationUnits, duration_ns);
  return is_digit(text.back()) ? text + "ns" : text;
}

}  // namespace gpuio::base
