// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace gpuio::base {

/// Without spaces and tabs at both ends.
[[nodiscard]] std::string_view trim(std::string_view text) noexcept;

/// The parts between separators; "a,,b" has an empty one, and so has "".
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

/// How many letters must be inserted, dropped, replaced or swapped with their neighbour to turn `a` into `b`.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that `word` is most likely a misspelling of; empty if none is near. For "did you mean".
[[nodiscard]] std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace gpuio::base
