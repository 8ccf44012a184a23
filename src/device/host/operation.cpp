// SPDX-License-Identifier: Apache-2.0
#include "device/host/operation.h"

#include <algorithm>

#include "core/copy/host_copy.h"

namespace gpuio::host {

CopyList::CopyList(std::span<const spi::CopySegment> segments) {
  segments_.reserve(segments.size());
  starts_.reserve(segments.size());
  for (const spi::CopySegment& segment : segments) {
    if (segment.bytes == 0) continue;
    segments_.push_back(segment);
    starts_.push_back(bytes_);
    bytes_ += segment.bytes;
  }
}

void CopyList::copy(std::uint64_t begin, std::uint64_t end) const {
  auto at = static_cast<std::size_t>(std::upper_bound(starts_.begin(), starts_.end(), begin) - starts_.begin()) - 1;
  while (begin < end) {
    const spi::CopySegment& segment = segments_[at];
    const std::uint64_t skip = begin - starts_[at];
    const std::uint64_t bytes = std::min<std::uint64_t>(segment.bytes - skip, end - begin);
    core::host_copy_part(segment.destination + skip, segment.source + skip, bytes, segment.bytes);
    begin += bytes;
    ++at;
  }
}

}  // namespace gpuio::host
