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

void ResidencyMap::look_again(Window& window, std::uint64_t offset, std::uint64_t length, std::uint64_t now_ns) {
  const Kind kind = look(offset, length);
  const bool still = kind == Kind::resident && window.kind == kind;
  window.valid_ns = still ? std::min(4 * window.valid_ns, kValidMaxNs) : kValidNs;
  window.kind = kind;
  window.until_ns = now_ns + window.valid_ns;
  window.alike_until_ns = 0;
}

std::uint64_t ResidencyMap::alike_end(Window& window, std::uint64_t index, std::uint64_t now_ns) const {
  if (window.alike_until_ns <= now_ns) {
    window.alike_end = index + 1;
    window.alike_until_ns = window.until_ns;
  }
  // Each window remembers how far it came, so that a long file is not walked window by window each time.
  for (auto next = windows_.find(window.alike_end); next != windows_.end(); next = windows_.find(window.alike_end)) {
    const Window& known = next->second;
    if (known.until_ns <= now_ns || known.kind != window.kind) break;
    const bool far = known.alike_until_ns > now_ns;
    window.alike_end = far ? known.alike_end : window.alike_end + 1;
    window.alike_until_ns = std::min(window.alike_until_ns, far ? known.alike_until_ns : known.until_ns);
  }
  return window.alike_end;
}

ResidencyMap::Answer ResidencyMap::ask(std::uint64_t offset, std::uint64_t length, std::uint64_t file_bytes,
                                       std::uint64_t now_ns) {
  const std::uint64_t index = offset / kWindowBytes;
  const std::uint64_t start = index * kWindowBytes;
  const std::uint64_t end = std::max(std::min(start + kWindowBytes, file_bytes), offset + 1);
  Window& window = windows_[index];
  if (window.until_ns <= now_ns) look_again(window, start, end - start, now_ns);
  if (window.kind == Kind::mixed) {
    const std::uint64_t step = std::min({length, end - offset, kStepBytes});
    return {look(offset, step) == Kind::resident, step};
  }
  // Further windows whose state is known and the same cost nothing to include.
  const std::uint64_t alike = std::min(alike_end(window, index, now_ns) * kWindowBytes, std::max(file_bytes, end));
  if (window.kind == Kind::resident) return {true, alike - offset};
  return {false, std::min(length, alike - offset)};
}

}  // namespace gpuio::local
