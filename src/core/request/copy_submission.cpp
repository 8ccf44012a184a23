// SPDX-License-Identifier: Apache-2.0
// The checks of copies and fills on the way in, and the choice of how they travel.
#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "base/try.h"
#include "core/context_state.h"
#include "core/layout/layout_overlap.h"

namespace gpuio::core {
namespace {

constexpr std::uint64_t kKernelPiecesMin = 8;

/// One side of a copy after its checks.
struct Side {
  ResolvedTransfer memory;
  const Layout& layout;
  std::uint64_t bytes = 0;

  [[nodiscard]] std::uint64_t pieces() const noexcept { return layout.is_whole() ? 1 : layout.count(); }
  /// Memory that the host reaches, and not the accelerator on the other side.
  [[nodiscard]] bool is_plain(const Side& other) const {
    return memory.host_reachable && !memory.region->copy_engine_reaches(other.memory.device->device());
  }
  [[nodiscard]] bool is_for_kernels(const Side& other, MapAccess access) const {
    return memory.region->check_kernels_reach(other.memory.device->device(), access).ok();
  }
};

Status check_layout(const Slice& slice, std::string_view argument, Side& side) {
  side.bytes = side.layout.is_whole() ? slice.size() : side.layout.size_bytes();
  if (side.bytes == std::numeric_limits<std::uint64_t>::max()) {
    return Status(Code::out_of_range, "the lengths of the layout overflow 64 bits").with("argument", argument);
  }
  const std::uint64_t end = side.layout.is_whole() ? side.bytes : side.layout.end();
  if (end > slice.size()) {
    return Status(Code::out_of_range, "the layout reaches past the end of the memory")
        .with("argument", argument)
        .with("end", end)
        .with("size", slice.size());
  }
  return {};
}

/// Only the same memory can overlap, and then what counts is which of its bytes are named.
bool overlap(const Side& from, std::uint64_t from_size, const Side& to, std::uint64_t to_size) {
  const auto begin = reinterpret_cast<std::uintptr_t>(from.memory.memory);
  const auto other = reinterpret_cast<std::uintptr_t>(to.memory.memory);
  if (begin >= other + to_size || other >= begin + from_size) return false;
  return layouts_overlap({from.layout, begin}, {to.layout, other}, from.bytes);
}

/// By way, and whether kernels were a choice.
constexpr std::string_view kModelReasons[][2] = {
    {"", "cost model: a kernel moves the rows quickest"},
    {"cost model: a copy for each row is quickest without kernels", "cost model: a copy for each row is quickest"},
    {"cost model: packing the rows in slabs is quickest without kernels",
     "cost model: packing the rows in slabs is quickest"}};

/// Rows of a table in host memory that an accelerator gathers or scatters go as was measured to be quickest. False:
/// nothing is known of them, and fixed rules decide.
bool choose_row_way(ResolvedTransfer& copy, const Side& from, const Side& to, bool unassisted, const Costs& costs) {
  const Side& table = from.memory.host_reachable ? from : to;
  const Side& own = from.memory.host_reachable ? to : from;
  RowTraffic traffic;
  traffic.rows = std::max(from.pieces(), to.pieces());
  traffic.by_staging = own.pieces() == 1;
  if (traffic.rows < kKernelPiecesMin || (table.is_plain(own) && !traffic.by_staging)) return false;
  if (table.is_plain(own)) {
    copy.carriage = Carriage::packed_copy;
    copy.reason = "many pieces of memory that only the host reaches";
    return true;
  }
  traffic.row_bytes = from.bytes / traffic.rows;
  traffic.mapped = table.memory.region->kind() == RegionKind::mapped;
  traffic.to_device = &table == &from;
  traffic.by_kernel =
      !unassisted && table.is_for_kernels(own, traffic.to_device ? MapAccess::read : MapAccess::read_write);
  const std::optional<RowWay> way = costs.row_way(own.memory.device->device().info(), traffic);
  if (!way) return false;
  constexpr Carriage kCarriages[] = {Carriage::copy_kernel, Carriage::device_copy, Carriage::packed_copy};
  const auto index = static_cast<std::size_t>(*way);
  copy.carriage = kCarriages[index];
  copy.reason = kModelReasons[index][traffic.by_kernel ? 1 : 0];
  return true;
}

/// What can't be between accelerators' own memory.
Status check_between(const Side& from, const Side& to, bool unassisted) {
  if (from.memory.host_reachable || to.memory.host_reachable) return {};
  if (unassisted) {
    return Status(Code::unsupported,
                  "an unassisted copy has host memory on one side: between accelerators' memory the "
                  "driver may use a kernel");
  }
  if (from.memory.region->has_driver_of(to.memory.device->device())) return {};
  return Status(Code::unsupported, "accelerators of different drivers don't reach each other: copy through host memory")
      .with("source", from.memory.device->device().info().name)
      .with("destination", to.memory.device->device().info().name);
}

/// How a copy goes that no slab is needed for.
void choose_carriage(ResolvedTransfer& copy, const Side& from, const Side& to, bool unassisted, const Costs& costs) {
  if (from.memory.host_reachable && to.memory.host_reachable) {
    copy.carriage = Carriage::pool_copy;
    copy.reason = "the host reaches both sides";
    return;
  }
  copy.carriage = Carriage::device_copy;
  if (unassisted) {
    copy.reason = "no kernel may be needed";
    return;
  }
  const bool between = !from.memory.host_reachable && !to.memory.host_reachable;
  if (between && from.memory.device != to.memory.device) {
    copy.reason = "from one accelerator to another: kernels may not reach across";
    return;
  }
  const Side& far = to.memory.host_reachable ? from : to;
  const Side& near = to.memory.host_reachable ? to : from;
  const std::uint64_t pieces = std::max(from.pieces(), to.pieces());
  if (pieces < kKernelPiecesMin ||
      from.bytes / pieces > costs.kernel_piece_bytes_max(far.memory.device->device().info())) {
    copy.reason = "large pieces that the copy engine reaches";
    return;
  }
  if (!near.is_for_kernels(far, &near == &to ? MapAccess::read_write : MapAccess::read)) {
    copy.reason = "pieces that kernels do not reach";
    return;
  }
  copy.carriage = Carriage::copy_kernel;
  copy.reason = "many small pieces that kernels reach";
}

/// Plain host memory as a store of addresses: the bytes pass through slabs as those of any store.
void stage(RequestState& request, ResolvedTransfer& copy, Side& from, Side& to,
           const std::shared_ptr<StoreState>& memory_store) {
  const bool to_device = from.is_plain(to);
  Side& near = to_device ? to : from;  // on the accelerator
  Side& plain = to_device ? from : to;
  request.operation = to_device ? Operation::read : Operation::write;
  copy.store = memory_store;
  copy.extents = plain.layout;
  copy.extents_base = reinterpret_cast<std::uintptr_t>(plain.memory.memory);
  copy.placement = near.layout;
  copy.device = near.memory.device;
  copy.region = std::move(near.memory.region);
  copy.memory = near.memory.memory;
  copy.source = std::move(plain.memory.region);
}

}  // namespace

Result<Request> ContextState::prepare_copy(const CopySides& sides, const TransferOptions& options) {
  Side from{{}, sides.source_layout};
  Side to{{}, sides.destination_layout};
  GPUIO_TRY(resolve_memory(sides.source, "source", from.memory));
  GPUIO_TRY(resolve_memory(sides.destination, "destination", to.memory));
  GPUIO_TRY(to.memory.region->check_writable().with("argument", "destination"));
  GPUIO_TRY(check_layout(sides.source, "source", from));
  GPUIO_TRY(check_layout(sides.destination, "destination", to));
  if (from.bytes != to.bytes) {
    return Status(Code::invalid_argument, "source and destination differ in size")
        .with("source", from.bytes)
        .with("destination", to.bytes);
  }
  if (from.bytes == 0) return Status(Code::invalid_argument, "zero bytes: nothing to transfer");
  if (overlap(from, sides.source.size(), to, sides.destination.size())) {
    return Status(Code::invalid_argument, "source and destination overlap");
  }
  GPUIO_TRY(check_between(from, to, options.unassisted));
  auto* state = new RequestState(*executor_, Operation::copy, options);
  state->add_handle();
  Request request(state);
  ResolvedTransfer& copy = state->add_transfer();
  state->total_bytes = copy.bytes = from.bytes;
  state->cxl = from.memory.cxl || to.memory.cxl;
  const bool one_is_far = from.memory.host_reachable != to.memory.host_reachable;
  copy.plain = one_is_far && (from.is_plain(to) || to.is_plain(from));
  const bool as_rows = one_is_far && choose_row_way(copy, from, to, options.unassisted, *costs_);
  if (copy.plain && !as_rows) {
    stage(*state, copy, from, to, memory_store_);
  } else {
    if (!as_rows) choose_carriage(copy, from, to, options.unassisted, *costs_);
    // The accelerator's copy engine and kernels where one of them is its.
    copy.device = to.memory.host_reachable ? from.memory.device : to.memory.device;
    copy.host_reachable = to.memory.host_reachable;
    copy.extents = from.layout;
    copy.placement = to.layout;
    copy.region = std::move(to.memory.region);
    copy.memory = to.memory.memory;
    copy.source = std::move(from.memory.region);
    copy.source_memory = from.memory.memory;
  }
  GPUIO_TRY(finish_preparing(*state, options));
  return request;
}

Result<Request> ContextState::prepare_fill(const Slice& destination, std::span<const std::byte> pattern,
                                           const TransferOptions& options) {
  if (pattern.empty() || pattern.size() > FillPattern::kBytesMax) {
    return Status(Code::invalid_argument, "a pattern has 1 to 16 bytes").with("pattern_bytes", pattern.size());
  }
  ResolvedTransfer fill;
  GPUIO_TRY(resolve_memory(destination, "destination", fill));
  GPUIO_TRY(fill.region->check_writable().with("argument", "destination"));
  if (destination.size() == 0) return Status(Code::invalid_argument, "zero bytes: nothing to fill");
  if (options.unassisted && !fill.host_reachable) {
    return Status(Code::unsupported,
                  "an accelerator fills its memory by kernels: an unassisted fill is of host memory");
  }
  auto* state = new RequestState(*executor_, Operation::fill, options);
  state->add_handle();
  Request request(state);
  state->total_bytes = fill.bytes = destination.size();
  state->pattern = FillPattern::of(pattern);
  state->cxl = fill.cxl;
  fill.carriage = fill.host_reachable ? Carriage::pool_copy : Carriage::device_copy;
  fill.reason = fill.host_reachable ? "memory that the host reaches" : "the accelerator's own memory";
  state->add_transfer() = std::move(fill);
  GPUIO_TRY(finish_preparing(*state, options));
  return request;
}

Status ContextState::finish_preparing(RequestState& request, const TransferOptions& options) {
  set_deadline(request, options);
  return options.stream == nullptr ? Status() : set_stream(request, *options.stream);
}

}  // namespace gpuio::core
