// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace gpuio::cli {

/// The candidate that `word` was most likely meant to be: fewest edits (a swap of neighbours is one), empty if none is
/// near.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

/// " (did you mean 'x'?)", or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

}  // namespace gpuio::cli
