// SPDX-License-Identifier: Apache-2.0
#include "core/run_state.h"

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

void RunState::reset() {
  segment_list.clear();
  pieces.clear();
  failures.clear();
  segments = {};
  store = nullptr;
  store_state.reset();
  lent = Lent();
  lend_status = Status();
  device = nullptr;
  ring = nullptr;
  slab = nullptr;
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
