// SPDX-License-Identifier: Apache-2.0
// The checks on the way in: what passes them holds all it needs, so nothing half-done needs undoing.
#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "base/try.h"
#include "core/context_state.h"

namespace gpuio::core {
namespace {

/// A kernel that waits for ever for bytes that never come holds the device: whoever started it hears of it.
constexpr std::uint64_t kUnassistedTimeoutNs = 30'000'000'000;

constexpr std::uint64_t kSaturated = std::numeric_limits<std::uint64_t>::max();

Status bad_transfer(Code code, std::string message, std::size_t index) {
  Status status(code, std::move(message));
  if (index > 0) status.with("transfer", index);
  return status;
}

}  // namespace

Status ContextState::resolve_memory(const Slice& slice, std::string_view argument, ResolvedTransfer& resolved) {
  auto region = Region::resolve(slice);
  if (!region) return std::move(region).error().with("argument", argument);
  resolved.region = std::move(region->region);
  resolved.memory = region->address;
  resolved.device = find(resolved.region->device());
  resolved.host_reachable = resolved.region->memory_is_host();
  resolved.cxl = resolved.region->is_mapped_cxl() ||
                 (resolved.host_reachable && memory_tiers_.reaches_cxl(region->address, region->bytes));
  if (resolved.device == nullptr) {
    return Status(Code::invalid_argument, "the memory belongs to another Context").with("argument", argument);
  }
  return {};
}

Status ContextState::resolve(Operation operation, const Transfer& transfer, std::size_t index,
                             ResolvedTransfer& resolved) {
  if (!transfer.store) return bad_transfer(Code::closed, "the Store is empty: open it first", index);
  constexpr std::string_view kDestination = "destination";
  constexpr std::string_view kSource = "source";
  GPUIO_TRY(resolve_memory(transfer.memory, operation == Operation::read ? kDestination : kSource, resolved));
  if (operation == Operation::read) GPUIO_TRY(resolved.region->check_writable().with("argument", kDestination));
  resolved.store = transfer.store.state();
  resolved.cxl = resolved.cxl || resolved.store->store().tier() == "cxl";
  resolved.extents = transfer.extents;
  resolved.placement = transfer.placement;

  const std::uint64_t memory_bytes =
      transfer.placement.is_whole() ? transfer.memory.size() : transfer.placement.size_bytes();
  const std::uint64_t store_bytes = transfer.extents.is_whole() ? memory_bytes : transfer.extents.size_bytes();
  if (memory_bytes == kSaturated || store_bytes == kSaturated) {
    return bad_transfer(Code::out_of_range, "the lengths of the extents overflow 64 bits", index);
  }
  if (store_bytes != memory_bytes) {
    return bad_transfer(Code::invalid_argument, "the two sides name different numbers of bytes", index)
        .with("store_bytes", store_bytes)
        .with("memory_bytes", memory_bytes);
  }
  if (store_bytes == 0) return bad_transfer(Code::invalid_argument, "zero bytes: nothing to transfer", index);
  resolved.bytes = store_bytes;

  const std::uint64_t placement_end = transfer.placement.is_whole() ? memory_bytes : transfer.placement.end();
  if (placement_end > transfer.memory.size()) {
    return bad_transfer(Code::out_of_range, "the placement reaches past the end of the memory", index)
        .with("end", placement_end)
        .with("size", transfer.memory.size());
  }
  const std::uint64_t store_end = transfer.extents.is_whole() ? store_bytes : transfer.extents.end();
  if (store_end == kSaturated) return bad_transfer(Code::out_of_range, "offset + length overflows 64 bits", index);
  const spi::Store& store = resolved.store->store();
  if (operation == Operation::write && !store.writable()) {
    return bad_transfer(Code::permission_denied, "the store was opened for reading: open it with OpenMode::write",
                        index)
        .with("store", store.uri());
  }
  if (operation == Operation::read && store_end > store.size()) {
    return bad_transfer(Code::out_of_range, "the store is shorter than what is asked for", index)
        .with("store", store.uri())
        .with("end", store_end)
        .with("size", store.size());
  }
  return {};
}

Result<Request> ContextState::prepare(Operation operation, std::span<const Transfer> transfers,
                                      const TransferOptions& options) {
  if (transfers.empty()) return Status(Code::invalid_argument, "no transfers: nothing to do");
  auto* state = new RequestState(*executor_, operation, options);
  state->add_handle();
  Request request(state);
  if (transfers.size() > 1) state->more_transfers.reserve(transfers.size() - 1);
  for (std::size_t i = 0; i < transfers.size(); ++i) {
    ResolvedTransfer& resolved = state->add_transfer();
    GPUIO_TRY(resolve(operation, transfers[i], i, resolved));
    if (state->total_bytes + resolved.bytes < state->total_bytes) {
      return Status(Code::out_of_range, "the lengths of the transfers overflow 64 bits");
    }
    state->total_bytes += resolved.bytes;
    state->cxl = state->cxl || resolved.cxl;
  }
  GPUIO_TRY(finish_preparing(*state, options));
  return request;
}

void ContextState::set_deadline(RequestState& request, const TransferOptions& options) {
  std::uint64_t timeout = values_.request_timeout_ns;
  if (options.unassisted && timeout == 0) timeout = kUnassistedTimeoutNs;
  if (options.timeout) timeout = static_cast<std::uint64_t>(std::max<Duration::rep>(options.timeout->count(), 0));
  if (!options.timeout && timeout == 0) return;
  const std::uint64_t now = executor_->clock().now_ns();
  request.deadline_ns = now + timeout < now ? spi::kNever : now + timeout;
}

Status ContextState::set_stream(RequestState& request, const Stream& stream) {
  request.stream = stream.state();
  if (request.stream == nullptr) return Status(Code::closed, "the Stream is empty");
  request.stream_device = find(request.stream->device());
  if (request.stream_device == nullptr) return Status(Code::invalid_argument, "the stream belongs to another Context");
  if (const Capability can = request.stream->device().capability(Ability::stream_wait_word); !can) {
    return Status(Code::unsupported, "this device's streams can't wait for a Request: " + can.reason);
  }
  return {};
}

Status ContextState::enter_stream(RequestState& request) {
  spi::Device& device = request.stream->device();
  const spi::StreamHandle stream = request.stream->handle();
  GPUIO_ASSIGN(const bool capturing, device.capturing(stream));
  if (capturing) {
    return Status(
        Code::invalid_argument,
        "the stream is being captured: a Request needs the host each time it runs; put a Launch there instead");
  }
  GPUIO_ASSIGN(request.start_after, request.stream_device->take_event());
  GPUIO_TRY(device.record(request.start_after, stream));
  GPUIO_ASSIGN(request.gate, request.stream_device->gates().take());
  return device.wait_word(stream, request.gate->word, request.gate->value);
}

void ContextState::leave_stream(RequestState& request) {
  if (request.gate) request.stream_device->gates().open(*std::exchange(request.gate, std::nullopt));
  if (request.start_after != nullptr) {
    request.stream_device->give_event(std::exchange(request.start_after, nullptr));
  }
}

Status ContextState::submit(std::span<RequestState* const> requests) {
  Status status;
  for (RequestState* request : requests) {
    if (request->stream != nullptr && status.ok()) status = enter_stream(*request);
  }
  if (status.ok()) status = scheduler_->submit(requests);
  if (!status.ok()) {
    for (RequestState* request : requests) leave_stream(*request);
  }
  return status;
}

Result<Request> ContextState::start(Result<Request> prepared) {
  if (!prepared) return prepared;
  RequestState* state = prepared->state();
  if (run_inline(*state)) return prepared;
  GPUIO_TRY(submit(std::span(&state, 1)));
  return prepared;
}

bool ContextState::run_inline(RequestState& request) {
  const ResolvedTransfer& transfer = request.first_transfer;
  const bool by_thread = request.operation == Operation::read ||
                         (has_no_store(request.operation) && transfer.carriage == Carriage::pool_copy);
  const bool small =
      by_thread && request.transfer_count == 1 && request.total_bytes <= inline_bytes_max_ && transfer.host_reachable;
  if (!small || request.stream != nullptr || request.cache == CacheUse::direct || !scheduler_->queue_empty()) {
    return false;
  }
  const std::uint64_t begin = executor_->clock().now_ns();
  std::string_view way_name = "page cache";
  if (request.operation != Operation::read) {
    way_name = request.operation == Operation::fill ? "pattern" : "memory";
    move_span(
        {transfer.cursor(), transfer.bytes, transfer.bytes, transfer.source_memory, transfer.memory, request.pattern});
  } else if (!read_inline(transfer)) {
    return false;
  }
  request.submitted_ns = begin;
  request.scheduler = scheduler_.get();
  request.mark_started();
  // Bytes that went where a mapped store has none any more are the queue's to report.
  if (!transfer.region->check().ok() || (transfer.source != nullptr && !transfer.source->check().ok())) return false;
  const std::uint64_t end = executor_->clock().now_ns();
  request.account({spi::Way::cached, Carriage::inline_read}, way_name, inline_reason_, request.total_bytes);
  counters_.record(static_cast<CountedOperation>(request.operation), transfer.store ? transfer.store->tier_id() : 0,
                   transfer.device->statistics_id(), request.total_bytes, end - begin, false);
  request.mark_quiet();
  request.report(Status(), end);
  return true;
}

bool ContextState::read_inline(const ResolvedTransfer& transfer) {
  for (LayoutCursor cursor = transfer.cursor(); !cursor.done();) {
    const LayoutCursor::Piece piece = cursor.next(transfer.bytes);
    const auto bytes = static_cast<std::uint32_t>(piece.bytes);
    const spi::Segment segment{piece.store_offset, transfer.memory + piece.memory_offset, bytes, bytes};
    // Whatever stands in the way, errors too, is the queue's to deal with: it retries and reports by part.
    if (!transfer.store->store().read_now(segment).ok()) return false;
  }
  return true;
}

}  // namespace gpuio::core
