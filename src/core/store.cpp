// SPDX-License-Identifier: Apache-2.0
#include "gpuio/store.hpp"

#include "core/store_state.h"

namespace gpuio {
namespace {

const std::string kNoUri;

Status closed() { return Status(Code::closed, "the Store is empty: open it first"); }

}  // namespace

const std::string& Store::uri() const noexcept { return state_ ? state_->store().uri() : kNoUri; }
std::string_view Store::engine() const noexcept { return state_ ? state_->store().engine() : std::string_view(); }
std::string_view Store::tier() const noexcept { return state_ ? state_->store().tier() : std::string_view(); }
std::uint64_t Store::size() const noexcept { return state_ ? state_->store().size() : 0; }
std::string Store::explain() const { return state_ ? state_->store().explain() : std::string(); }

Result<Residency> Store::residency(std::uint64_t offset, std::uint64_t length) const {
  if (!state_) return closed();
  if (offset + length < offset || offset + length > size()) {
    return Status(Code::out_of_range, "the range reaches past the end of the store")
        .with("store", uri())
        .with("offset", offset)
        .with("length", length)
        .with("size", size());
  }
  return state_->store().residency(offset, length);
}

Status Store::flush() const { return state_ ? state_->store().flush() : closed(); }
Status Store::commit() const { return state_ ? state_->store().commit() : closed(); }
Status Store::truncate(std::uint64_t size_bytes) const {
  return state_ ? state_->store().truncate(size_bytes) : closed();
}

}  // namespace gpuio
