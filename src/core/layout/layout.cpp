// SPDX-License-Identifier: Apache-2.0
#include "gpuio/layout.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace gpuio {
namespace {

constexpr std::uint64_t kSaturated = std::numeric_limits<std::uint64_t>::max();

std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) noexcept {
  return a > kSaturated - b ? kSaturated : a + b;
}

std::uint64_t saturating_multiply(std::uint64_t a, std::uint64_t b) noexcept {
  return b != 0 && a > kSaturated / b ? kSaturated : a * b;
}

struct Measure {
  std::uint64_t size_bytes = 0;
  std::uint64_t end = 0;
};

Measure measure_shape(std::monostate) noexcept { return {}; }

Measure measure_shape(const Extent& extent) noexcept {
  if (extent.length == 0) return {};
  return {extent.length, saturating_add(extent.offset, extent.length)};
}

/// `count` blocks of which the last one starts `last * stride_bytes` after `offset`.
Measure measure_blocks(std::uint64_t offset, std::uint64_t block_bytes, std::uint64_t stride_bytes, std::uint64_t count,
                       std::uint64_t last) noexcept {
  if (block_bytes == 0 || count == 0) return {};
  const std::uint64_t last_offset = saturating_add(offset, saturating_multiply(last, stride_bytes));
  return {saturating_multiply(block_bytes, count), saturating_add(last_offset, block_bytes)};
}

Measure measure_shape(const Layout::Strided& strided) noexcept {
  const std::uint64_t last = strided.count == 0 ? 0 : strided.count - 1;
  return measure_blocks(strided.offset, strided.block_bytes, strided.stride_bytes, strided.count, last);
}

Measure measure_shape(const std::shared_ptr<const Layout::Rows>& rows) noexcept {
  const auto last = std::max_element(rows->ids.begin(), rows->ids.end());
  return measure_blocks(rows->offset, rows->row_bytes, rows->stride_bytes, rows->ids.size(),
                        last == rows->ids.end() ? 0 : *last);
}

Measure measure_shape(const std::shared_ptr<const std::vector<Extent>>& extents) noexcept {
  Measure sum;
  for (const Extent& extent : *extents) {
    const Measure one = measure_shape(extent);
    sum.size_bytes = saturating_add(sum.size_bytes, one.size_bytes);
    sum.end = std::max(sum.end, one.end);
  }
  return sum;
}

}  // namespace

Layout Layout::contiguous(std::uint64_t offset, std::uint64_t length) {
  Layout layout;
  layout.shape_ = Extent{offset, length};
  layout.measure();
  return layout;
}

Layout Layout::strided(const Strided& strided) {
  Layout layout;
  layout.shape_ = strided;
  layout.measure();
  return layout;
}

Layout Layout::rows(Rows rows) {
  if (rows.stride_bytes == 0) rows.stride_bytes = rows.row_bytes;
  Layout layout;
  layout.shape_ = std::make_shared<const Rows>(std::move(rows));
  layout.measure();
  return layout;
}

Layout Layout::extents(std::vector<Extent> extents) {
  Layout layout;
  layout.shape_ = std::make_shared<const std::vector<Extent>>(std::move(extents));
  layout.measure();
  return layout;
}

void Layout::measure() {
  const Measure measured = std::visit([](const auto& shape) { return measure_shape(shape); }, shape_);
  size_bytes_ = measured.size_bytes;
  end_ = measured.end;
}

std::uint64_t Layout::count() const noexcept {
  if (std::holds_alternative<Extent>(shape_)) return 1;
  if (const auto* list = std::get_if<ExtentList>(&shape_)) return (*list)->size();
  if (const auto* rows = std::get_if<RowList>(&shape_)) return (*rows)->ids.size();
  if (const auto* strided = std::get_if<Strided>(&shape_)) return strided->count;
  return 0;
}

std::uint64_t Layout::piece_bytes() const noexcept {
  if (const auto* rows = std::get_if<RowList>(&shape_)) return (*rows)->row_bytes;
  if (const auto* strided = std::get_if<Strided>(&shape_)) return strided->block_bytes;
  return 0;
}

std::uint64_t Layout::stride_bytes() const noexcept {
  const auto* strided = std::get_if<Strided>(&shape_);
  return strided != nullptr ? strided->stride_bytes : 0;
}

Extent Layout::at(std::uint64_t index) const noexcept {
  if (const auto* extent = std::get_if<Extent>(&shape_)) return *extent;
  if (const auto* list = std::get_if<ExtentList>(&shape_)) return (**list)[index];
  if (const auto* rows = std::get_if<RowList>(&shape_)) {
    const Rows& table = **rows;
    return {table.offset + table.ids[index] * table.stride_bytes, table.row_bytes};
  }
  if (const auto* strided = std::get_if<Strided>(&shape_)) {
    return {strided->offset + index * strided->stride_bytes, strided->block_bytes};
  }
  return {};
}

}  // namespace gpuio
