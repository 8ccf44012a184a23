// SPDX-License-Identifier: Apache-2.0
#include "core/request/run_state.h"

namespace gpuio::core {

void RunState::run() {
  const Piece& piece = pieces.front();
  auto borrowed = loans->borrow(store_state->pointer(), device->pointer(), piece.store_offset, piece.bytes);
  if (borrowed) {
    lent = *std::move(borrowed);
  } else {
    lend_status = std::move(borrowed).error();
  }
  sink_.finished(*this);
}

void RunState::reset_as(const RunState& other) {
  reset();
  kind = other.kind;
  operation = other.operation;
  priority = other.priority;
  urgent = other.urgent;
  lane = other.lane;
  cxl = other.cxl;
  leaves_device = other.leaves_device;
  store_state = other.store_state;
  store = other.store;
  device = other.device;
  way = other.way;
  path = other.path;
  chosen = other.chosen;
  way_name = other.way_name;
  reason = other.reason;
  deadline_ns = other.deadline_ns;
}

void RunState::reset() {
  segment_list.clear();
  pieces.clear();
  failures.clear();
  segments = {};
  store = nullptr;
  store_state.reset();
  medium = {};
  lent = Lent();
  lend_status = Status();
  device = nullptr;
  ring = nullptr;
  slab = nullptr;
  list = nullptr;
  list_count = 0;
  span.reset();
  loans = nullptr;
  engine_data = nullptr;
  event = nullptr;
  retries = 0;
  short_transfers = 0;
  bytes = 0;
  storage_bytes = 0;
  attempt = 0;
  quarantined = false;
  lane = Lane::bulk;
  urgent = false;
  stage = Stage::free;
}

}  // namespace gpuio::core
