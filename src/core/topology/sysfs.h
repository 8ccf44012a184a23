// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gpuio/result.hpp"

namespace gpuio::core::topology {

/// "0-3,7" as 0 1 2 3 7: how the kernel writes sets of processors and nodes. None where it is no such list.
[[nodiscard]] std::optional<std::vector<int>> parse_list(std::string_view text);

/// "123", "0x40000000": a whole number and nothing behind it.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);

/// Small files of the kernel's below a root, which tests and copies of other machines put elsewhere. Paths are relative
/// to it: "sys/devices/system/node/online". Thread safety: all members.
class Sysfs {
 public:
  explicit Sysfs(std::filesystem::path root) : root_(std::move(root)) {}

  /// Trimmed; none where there is no such file, or it may not be read: kernels differ in what they have.
  [[nodiscard]] std::optional<std::string> text(const std::filesystem::path& path) const;
  [[nodiscard]] std::string text_or_empty(const std::filesystem::path& path) const;
  /// `fallback` where there is no such file, or no number in it ("Unknown").
  [[nodiscard]] std::uint64_t number_or(const std::filesystem::path& path, std::uint64_t fallback) const;
  /// A NUMA node; -1 where it is unknown.
  [[nodiscard]] int node_in(const std::filesystem::path& path) const;

  /// A list that what follows relies on; empty where there is no such file. Fails with `corrupt`, naming the file.
  [[nodiscard]] Result<std::vector<int>> list(const std::filesystem::path& path) const;

  /// Also true for a link to what a copy left out.
  [[nodiscard]] bool exists(const std::filesystem::path& path) const;
  /// Names in a folder that begin with `prefix`, in the order that people count ("node2" before "node10").
  [[nodiscard]] std::vector<std::string> names(const std::filesystem::path& folder, std::string_view prefix = "") const;
  /// The last part of what a link points to; empty where there is none.
  [[nodiscard]] std::string link_name(const std::filesystem::path& path) const;
  /// The parts of the path that a link leads to in the end, below the root.
  [[nodiscard]] std::vector<std::string> real_parts(const std::filesystem::path& path) const;

 private:
  const std::filesystem::path root_;
};

/// The order of `Sysfs::names`: numbers inside names compare as numbers.
[[nodiscard]] bool counts_before(std::string_view a, std::string_view b);

}  // namespace gpuio::core::topology
