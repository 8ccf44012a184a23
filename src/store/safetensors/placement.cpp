// SPDX-License-Identifier: Apache-2.0
#include "store/safetensors/placement.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <tuple>

#include "base/align.h"

namespace gpuio::store {
namespace {

void append(std::vector<Extent>& extents, const Extent& extent) {
  if (!extents.empty() && extents.back().offset + extents.back().length == extent.offset) {
    extents.back().length += extent.length;
  } else {
    extents.push_back(extent);
  }
}

std::vector<std::size_t> file_order(std::span<const Part> parts) {
  std::vector<std::size_t> order(parts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto key = [&](std::size_t i) {
    return std::tuple(parts[i].file, parts[i].extent.offset, parts[i].extent.length, i);
  };
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  return order;
}

}  // namespace

Result<Placement> place(std::span<const Part> parts, std::uint64_t run_alignment_bytes) {
  Placement placement;
  placement.offsets.resize(parts.size());
  const Part* before = nullptr;
  for (const std::size_t i : file_order(parts)) {
    const Part& part = parts[i];
    const bool follows = before != nullptr && before->file == part.file &&
                         before->extent.offset + before->extent.length == part.extent.offset &&
                         base::is_aligned(placement.size_bytes, part.alignment_bytes);
    const std::optional<std::uint64_t> offset =
        follows ? placement.size_bytes : base::checked_align_up(placement.size_bytes, run_alignment_bytes);
    const std::optional<std::uint64_t> end = offset ? base::checked_add(*offset, part.extent.length) : std::nullopt;
    if (!end) return Status(Code::out_of_range, "the sizes of the tensors overflow 64 bits");
    placement.offsets[i] = *offset;
    placement.size_bytes = *end;
    before = &part;
    if (part.extent.length == 0) continue;
    if (placement.files.empty() || placement.files.back().file != part.file)
      placement.files.push_back({part.file, {}, {}});
    append(placement.files.back().extents, part.extent);
    append(placement.files.back().placement, {*offset, part.extent.length});
  }
  return placement;
}

}  // namespace gpuio::store
