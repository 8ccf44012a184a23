// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/copy/copy.kernel.h"
#include "core/spi/kernels.h"

/// Many copies of any size and alignment in one launch.
namespace gpuio::core {

/// While there are fewer segments than groups, each is cut into as many slices as it takes to keep every group busy, so
/// one piece of 8 MiB is as fast as 10,000 of 4 KiB. Where there are more segments than groups each goes whole to one
/// group: a caller with one huge piece among thousands cuts it, or gives it to the copy engine.
template <class Policy>
GPUIO_KERNEL_BODY void move_segments(const Policy& policy, const spi::SegmentsArguments& list) {
  constexpr std::uint64_t kSliceMinBytes = 2048;  // What one step of a warp with 16-byte lanes moves.
  constexpr std::uint64_t kSliceUnitBytes = 128;  // Slices end on whole cache lines where the segment starts on one.
  const std::uint64_t slices = list.count == 0 || list.count >= policy.groups() ? 1 : policy.groups() / list.count;
  policy.for_each(list.count * slices, [&](std::uint64_t i) {
    const spi::MoveSegment segment = list.segments[i / slices];
    const std::uint64_t even = (segment.bytes + slices - 1) / slices;
    const std::uint64_t wanted = even < kSliceMinBytes ? kSliceMinBytes : even;
    const std::uint64_t slice_bytes = (wanted + kSliceUnitBytes - 1) / kSliceUnitBytes * kSliceUnitBytes;
    const std::uint64_t begin = i % slices * slice_bytes;
    if (begin >= segment.bytes) return;
    const std::uint64_t left = segment.bytes - begin;
    copy_bytes(policy, segment.source + begin, segment.destination + begin, left < slice_bytes ? left : slice_bytes);
  });
}

}  // namespace gpuio::core
