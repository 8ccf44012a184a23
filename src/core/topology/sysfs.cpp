// SPDX-License-Identifier: Apache-2.0
#include "core/topology/sysfs.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <system_error>

#include "base/text.h"

namespace gpuio::core::topology {
namespace {

/// More than any kernel has room for: a list that says so is none.
constexpr int kIdMax = 1 << 20;

bool is_digit(char letter) noexcept { return letter >= '0' && letter <= '9'; }

std::size_t digits_at(std::string_view text, std::size_t at) noexcept {
  std::size_t end = at;
  while (end < text.size() && is_digit(text[end])) ++end;
  return end - at;
}

}  // namespace

std::optional<std::uint64_t> parse_number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x")) {
    base = 16;
    text.remove_prefix(2);
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::vector<int>> parse_list(std::string_view text) {
  std::vector<int> ids;
  if (base::trim(text).empty()) return ids;
  for (const std::string_view part : base::split(base::trim(text), ',')) {
    const std::size_t dash = part.find('-');
    const auto first = parse_number(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_number(part.substr(dash + 1));
    if (!first || !last || *first > *last || *last > kIdMax) return std::nullopt;
    if (!ids.empty() && static_cast<int>(*first) <= ids.back()) return std::nullopt;
    for (auto id = static_cast<int>(*first); id <= static_cast<int>(*last); ++id) ids.push_back(id);
  }
  return ids;
}

bool counts_before(std::string_view a, std::string_view b) {
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    const std::size_t m = digits_at(a, i);
    const std::size_t n = digits_at(b, j);
    if (m == 0 || n == 0) {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i;
      ++j;
      continue;
    }
    if (m != n) return m < n;
    const int order = a.substr(i, m).compare(b.substr(j, n));
    if (order != 0) return order < 0;
    i += m;
    j += n;
  }
  return a.size() - i < b.size() - j;
}

std::optional<std::string> Sysfs::text(const std::filesystem::path& path) const {
  std::ifstream file(root_ / path, std::ios::binary);
  if (!file) return std::nullopt;
  const std::string all{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  // Folders open, and some attributes fail when they are read.
  if (file.bad()) return std::nullopt;
  return std::string(base::trim(std::string_view(all).substr(0, all.find_last_not_of("\n\0") + 1)));
}

std::string Sysfs::text_or_empty(const std::filesystem::path& path) const { return text(path).value_or(std::string()); }

std::uint64_t Sysfs::number_or(const std::filesystem::path& path, std::uint64_t fallback) const {
  return parse_number(text_or_empty(path)).value_or(fallback);
}

int Sysfs::node_in(const std::filesystem::path& path) const {
  const std::optional<std::uint64_t> node = parse_number(text_or_empty(path));
  return node && *node <= kIdMax ? static_cast<int>(*node) : -1;
}

Result<std::vector<int>> Sysfs::list(const std::filesystem::path& path) const {
  const std::optional<std::string> found = text(path);
  if (!found) return std::vector<int>();
  std::optional<std::vector<int>> ids = parse_list(*found);
  if (!ids) return Status(Code::corrupt, "not a list of ids: '" + *found + "'").with("file", (root_ / path).string());
  return *std::move(ids);
}

bool Sysfs::exists(const std::filesystem::path& path) const {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::symlink_status(root_ / path, ignored));
}

std::vector<std::string> Sysfs::names(const std::filesystem::path& folder, std::string_view prefix) const {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(root_ / folder, error), end; !error && at != end; at.increment(error)) {
    std::string name = at->path().filename().string();
    if (name.starts_with(prefix)) names.push_back(std::move(name));
  }
  std::ranges::sort(names, counts_before);
  return names;
}

std::string Sysfs::link_name(const std::filesystem::path& path) const {
  std::error_code error;
  const std::filesystem::path target = std::filesystem::read_symlink(root_ / path, error);
  return error ? std::string() : target.filename().string();
}

std::vector<std::string> Sysfs::real_parts(const std::filesystem::path& path) const {
  std::error_code error;
  const std::filesystem::path root = std::filesystem::canonical(root_, error);
  const std::filesystem::path real = std::filesystem::canonical(root_ / path, error);
  std::vector<std::string> parts;
  if (error) return parts;
  for (const auto& part : real.lexically_relative(root)) parts.push_back(part.string());
  return parts;
}

}  // namespace gpuio::core::topology
