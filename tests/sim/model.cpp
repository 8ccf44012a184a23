// SPDX-License-Identifier: Apache-2.0
#include "model.h"

#include <algorithm>

namespace gpuio::tests {

bool intersects(const Extent& a, const Extent& b) {
  return a.offset < b.offset + b.length && b.offset < a.offset + a.length;
}

void ModelBytes::carve(std::uint64_t offset, std::uint64_t length) {
  const Extent hole{offset, length};
  const std::uint64_t end = offset + length;
  std::vector<Maybe> kept;
  for (Maybe& maybe : maybes_) {
    const std::uint64_t maybe_end = maybe.offset + maybe.bytes.size();
    if (!intersects(hole, {maybe.offset, maybe.bytes.size()})) {
      kept.push_back(std::move(maybe));
      continue;
    }
    if (maybe.offset < offset) {
      kept.push_back(
          {maybe.offset, {maybe.bytes.begin(), maybe.bytes.begin() + static_cast<long>(offset - maybe.offset)}});
    }
    if (maybe_end > end) {
      kept.push_back({end, {maybe.bytes.begin() + static_cast<long>(end - maybe.offset), maybe.bytes.end()}});
    }
  }
  maybes_ = std::move(kept);
  std::vector<Extent> unknown;
  for (const Extent& extent : unknown_) {
    const std::uint64_t extent_end = extent.offset + extent.length;
    if (extent.offset < offset) unknown.push_back({extent.offset, std::min(extent_end, offset) - extent.offset});
    if (extent_end > end) unknown.push_back({std::max(extent.offset, end), extent_end - std::max(extent.offset, end)});
  }
  unknown_ = std::move(unknown);
}

void ModelBytes::set(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (offset + bytes.size() > bytes_.size()) bytes_.resize(offset + bytes.size());
  if (!maybes_.empty() || !unknown_.empty()) carve(offset, bytes.size());
  std::ranges::copy(bytes, bytes_.begin() + static_cast<long>(offset));
}

void ModelBytes::set_maybe(std::uint64_t offset, std::span<const std::byte> bytes) {
  maybes_.push_back({offset, {bytes.begin(), bytes.end()}});
}

void ModelBytes::forget(std::uint64_t offset, std::uint64_t length) {
  carve(offset, length);
  unknown_.push_back({offset, length});
}

bool ModelBytes::known(std::uint64_t offset, std::uint64_t length) const {
  return std::ranges::none_of(unknown_, [&](const Extent& extent) { return intersects(extent, {offset, length}); });
}

std::optional<std::uint64_t> ModelBytes::mismatch(std::uint64_t offset, std::span<const std::byte> seen) const {
  const auto possible = [&](std::uint64_t at, std::byte value) {
    const auto holds = [&](const Maybe& maybe) {
      return at >= maybe.offset && at - maybe.offset < maybe.bytes.size() && maybe.bytes[at - maybe.offset] == value;
    };
    const bool unknown = std::ranges::any_of(unknown_, [at](const Extent& e) { return intersects(e, {at, 1}); });
    return unknown || std::ranges::any_of(maybes_, holds);
  };
  for (std::size_t at = 0; at < seen.size();) {
    const auto begin = bytes_.begin() + static_cast<long>(offset);
    const auto [wrong, _] =
        std::mismatch(seen.begin() + static_cast<long>(at), seen.end(), begin + static_cast<long>(at));
    if (wrong == seen.end()) break;
    at = static_cast<std::size_t>(wrong - seen.begin());
    if (!possible(offset + at, *wrong)) return offset + at;
    ++at;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> ModelBytes::settle(std::uint64_t offset, std::span<const std::byte> seen) {
  const std::optional<std::uint64_t> wrong = mismatch(offset, seen);
  if (!wrong) set(offset, seen);
  return wrong;
}

bool RangeLocks::try_lock(const Extent& range, bool exclusive) {
  const auto excludes = [&](const Held& held) {
    return (exclusive || held.exclusive) && intersects(held.range, range);
  };
  if (std::ranges::any_of(held_, excludes)) return false;
  held_.push_back({range, exclusive});
  return true;
}

void RangeLocks::unlock(const Extent& range) {
  const auto found = std::ranges::find(held_, range, &Held::range);
  *found = held_.back();
  held_.pop_back();
}

std::uint64_t total_bytes(const std::vector<Extent>& extents) {
  std::uint64_t bytes = 0;
  for (const Extent& extent : extents) bytes += extent.length;
  return bytes;
}

std::vector<Move> pair_up(const std::vector<Extent>& store, const std::vector<Extent>& memory) {
  std::vector<Move> moves;
  std::size_t s = 0;
  std::size_t m = 0;
  std::uint64_t s_at = 0;
  std::uint64_t m_at = 0;
  while (s < store.size() && m < memory.size()) {
    const std::uint64_t bytes = std::min(store[s].length - s_at, memory[m].length - m_at);
    if (bytes > 0) moves.push_back({store[s].offset + s_at, memory[m].offset + m_at, bytes});
    s_at += bytes;
    m_at += bytes;
    if (s_at == store[s].length) ++s, s_at = 0;
    if (m_at == memory[m].length) ++m, m_at = 0;
  }
  return moves;
}

}  // namespace gpuio::tests
