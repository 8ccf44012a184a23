// SPDX-License-Identifier: Apache-2.0
#include "engine/mem/pool/extent_map.h"

#include <cassert>
#include <iterator>

namespace gpuio::pool {

void ExtentMap::insert(std::uint64_t offset, std::uint64_t bytes) {
  by_offset_.emplace(offset, bytes);
  by_size_.emplace(bytes, offset);
  free_bytes_ += bytes;
}

void ExtentMap::erase(Place place) {
  by_size_.erase({place->second, place->first});
  free_bytes_ -= place->second;
  by_offset_.erase(place);
}

void ExtentMap::give(std::uint64_t offset, std::uint64_t bytes) {
  auto next = by_offset_.lower_bound(offset);
  assert(next == by_offset_.end() || offset + bytes <= next->first);
  if (next != by_offset_.begin()) {
    const auto before = std::prev(next);
    assert(before->first + before->second <= offset);
    if (before->first + before->second == offset) {
      offset = before->first;
      bytes += before->second;
      erase(before);
    }
  }
  if (next != by_offset_.end() && next->first == offset + bytes) {
    bytes += next->second;
    erase(next);
  }
  insert(offset, bytes);
}

std::optional<std::uint64_t> ExtentMap::take(std::uint64_t bytes) {
  const auto fits = by_size_.lower_bound({bytes, 0});
  if (fits == by_size_.end()) return std::nullopt;
  const auto [extent_bytes, offset] = *fits;
  erase(by_offset_.find(offset));
  if (extent_bytes > bytes) insert(offset + bytes, extent_bytes - bytes);
  return offset;
}

bool ExtentMap::take_part(std::uint64_t offset, std::uint64_t bytes) {
  auto place = by_offset_.upper_bound(offset);
  if (place == by_offset_.begin()) return false;
  --place;
  const auto [extent_offset, extent_bytes] = *place;
  const std::uint64_t before = offset - extent_offset;
  if (before > extent_bytes || bytes > extent_bytes - before) return false;
  erase(place);
  if (before != 0) insert(extent_offset, before);
  if (before + bytes != extent_bytes) insert(offset + bytes, extent_bytes - before - bytes);
  return true;
}

}  // namespace gpuio::pool
