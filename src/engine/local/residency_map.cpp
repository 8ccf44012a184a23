// SPDX-License-Identifier: Apache-2.0
#include "engine/local/residency_map.h"

#include <algorithm>
#include <array>
#include <optional>

namespace gpuio::local {
namespace {

// A window of which some pages are in memory is asked about in steps of this.
constexpr std::uint64_t kStepBytes = 1ULL << 20;

}  // namespace

ResidencyMap::Kind ResidencyMap::look(std::uint64_t offset, std::uint64_t length) {
  const std::optional<std::uint64_t> bytes = files_.resident(file_, offset, length);
  if (!bytes) {
    // The kernel won't say (the file is another user's): a byte that can be had without waiting speaks for all.
    std::array<std::byte, 1> probe{};
    return files_.read(file_, offset, probe, true) >= 0 ? Kind::resident : Kind::cold;
  }
  if (*bytes == 0) return Kind::cold;
  // A few holes are read through the cache as well: one disk access each, on a pool thread.
  return *bytes >= length - length / 32 ? Kind::resident : Kind::mixed;
}

ResidencyMap::Answer ResidencyMap::ask(std::uint64_t offset, std::uint64_t length, std::uint64_t file_bytes,
                                       std::uint64_t now_ns) {
  const std::uint64_t index = offset / kWindowBytes;
  const std::uint64_t start = index * kWindowBytes;
  const std::uint64_t end = std::max(std::min(start + kWindowBytes, file_bytes), offset + 1);
  Window& window = windows_[index];
  if (window.until_ns <= now_ns) {
    window.kind = look(start, end - start);
    window.until_ns = now_ns + kValidNs;
  }
  if (window.kind == Kind::mixed) {
    const std::uint64_t step = std::min({length, end - offset, kStepBytes});
    return {look(offset, step) == Kind::resident, step};
  }
  Answer answer{window.kind == Kind::resident, std::min(length, end - offset)};
  // Further windows whose state is known and the same cost nothing to include.
  for (std::uint64_t next = index + 1; answer.length < length; ++next) {
    const auto known = windows_.find(next);
    if (known == windows_.end() || known->second.until_ns <= now_ns || known->second.kind != window.kind) break;
    answer.length = std::min(length, (next + 1) * kWindowBytes - offset);
  }
  return answer;
}

}  // namespace gpuio::local
