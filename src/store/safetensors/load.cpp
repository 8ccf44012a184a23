// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <utility>

#include "base/align.h"
#include "base/text.h"
#include "base/try.h"
#include "gpuio/safetensors.hpp"
#include "store/safetensors/dtype.h"
#include "store/safetensors/json_reader.h"
#include "store/safetensors/placement.h"

namespace gpuio::safetensors {
namespace {

constexpr std::uint64_t kAlignmentMin = 8;  // Of the widest element.
constexpr std::uint64_t kAlignmentMax = std::uint64_t{2} << 20;

Status check_options(const LoadOptions& options) {
  const std::uint64_t alignment = options.alignment_bytes;
  if (std::has_single_bit(alignment) && alignment >= kAlignmentMin && alignment <= kAlignmentMax) return {};
  return Status(Code::invalid_argument, "alignment_bytes must be a power of two from 8 to 2 MiB")
      .with("alignment_bytes", alignment);
}

Status unknown_name(const Model& model, std::string_view name) {
  // Comparing with every name of a huge model would take longer than its reader waits.
  constexpr std::size_t kComparedMax = 20'000;
  std::vector<std::string_view> names;
  if (model.tensors().size() <= kComparedMax) {
    for (const TensorInfo& tensor : model.tensors()) names.emplace_back(tensor.name);
  }
  Status status = Status(Code::not_found, "the model has no such tensor").with("tensor", store::shown(name));
  if (const std::string_view near = base::nearest(name, names); !near.empty()) status.with("nearest", near);
  return status;
}

// The description of the rows [begin, end) of `tensor`.
Result<TensorInfo> cut(TensorInfo tensor, std::uint64_t begin, std::uint64_t end) {
  const auto invalid = [&](const Status& why) {
    return Status(Code::invalid_argument, "rows that begin or end inside a byte: " + std::string(why.message()))
        .with("tensor", store::shown(tensor.name));
  };
  tensor.shape[0] = begin;
  const Result<std::uint64_t> skipped = store::packed_bytes(tensor.dtype, tensor.shape);
  tensor.shape[0] = end - begin;
  const Result<std::uint64_t> length = store::packed_bytes(tensor.dtype, tensor.shape);
  if (!skipped) return invalid(skipped.error());
  if (!length) return invalid(length.error());
  tensor.extent = {tensor.extent.offset + *skipped, *length};
  return tensor;
}

Result<TensorInfo> select(const Model& model, const Selection& selection) {
  const TensorInfo* tensor = model.find(selection.name);
  if (tensor == nullptr) return unknown_name(model, selection.name);
  const Selection whole;
  if (selection.begin == whole.begin && selection.end == whole.end) return *tensor;
  const std::uint64_t rows = tensor->shape.empty() ? 0 : tensor->shape[0];
  const std::uint64_t end = selection.end == whole.end ? rows : selection.end;
  if (tensor->shape.empty() || selection.begin > end || end > rows) {
    return Status(Code::out_of_range, tensor->shape.empty() ? "a scalar has no rows" : "rows outside the tensor")
        .with("tensor", store::shown(tensor->name))
        .with("begin", selection.begin)
        .with("end", end)
        .with("rows", rows);
  }
  return selection.begin == 0 && end == rows ? *tensor : cut(*tensor, selection.begin, end);
}

Layout layout_of(std::vector<Extent> extents, std::uint64_t base) {
  for (Extent& extent : extents) extent.offset += base;
  if (extents.size() == 1) return Layout::contiguous(extents[0].offset, extents[0].length);
  return Layout::extents(std::move(extents));
}

std::vector<Transfer> transfers_of(const std::vector<Store>& files, store::Placement placement, const Slice& memory,
                                   std::uint64_t base) {
  std::vector<Transfer> transfers;
  transfers.reserve(placement.files.size());
  for (store::FilePlan& plan : placement.files) {
    transfers.push_back(
        {files[plan.file], layout_of(std::move(plan.extents), 0), memory, layout_of(std::move(plan.placement), base)});
  }
  // Only tensors without bytes: a Request has to move something, so a byte goes to the slack that `start` leaves.
  if (transfers.empty()) transfers.push_back({files[0], Layout::contiguous(0, 1), memory, Layout::contiguous(0, 1)});
  return transfers;
}

Result<Loaded> start(const Context& context, const std::vector<Store>& files, std::vector<TensorInfo> tensors,
                     const Device& device, const LoadOptions& options) {
  std::vector<store::Part> parts;
  parts.reserve(tensors.size());
  for (const TensorInfo& tensor : tensors)
    parts.push_back({tensor.file, tensor.extent, store::alignment_of(tensor.dtype)});
  GPUIO_ASSIGN(store::Placement placement, store::place(parts, options.alignment_bytes));
  const auto bytes =
      base::checked_add(placement.size_bytes, options.alignment_bytes);  // Devices align to less than asked.
  if (!bytes) return Status(Code::out_of_range, "the sizes of the tensors overflow 64 bits");

  Loaded loaded;
  GPUIO_ASSIGN(loaded.memory, device.allocate(*bytes));
  const auto address = reinterpret_cast<std::uintptr_t>(loaded.memory.data());
  const std::uint64_t base = base::align_up(address, std::uintptr_t{options.alignment_bytes}) - address;
  loaded.tensors.reserve(tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    GPUIO_ASSIGN(Slice slice, loaded.memory.slice(base + placement.offsets[i], tensors[i].extent.length));
    loaded.tensors.push_back({std::move(tensors[i]), std::move(slice)});
  }
  const std::vector<Transfer> transfers = transfers_of(files, std::move(placement), loaded.memory, base);
  GPUIO_ASSIGN(loaded.request, context.read(transfers, options.transfer));
  return loaded;
}

}  // namespace

Result<Loaded> Model::load(const Device& device, const LoadOptions& options) const {
  GPUIO_TRY(check_options(options));
  return start(context_, files_, tensors_, device, options);
}

Result<Loaded> Model::load(const Device& device, std::span<const Selection> selections,
                           const LoadOptions& options) const {
  GPUIO_TRY(check_options(options));
  if (selections.empty()) return Status(Code::invalid_argument, "selections is empty");
  std::vector<TensorInfo> tensors;
  tensors.reserve(selections.size());
  for (const Selection& selection : selections) {
    GPUIO_ASSIGN(TensorInfo tensor, select(*this, selection));
    tensors.push_back(std::move(tensor));
  }
  return start(context_, files_, std::move(tensors), device, options);
}

}  // namespace gpuio::safetensors
