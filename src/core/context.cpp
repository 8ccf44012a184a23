// SPDX-License-Identifier: Apache-2.0
// The public Context and Batch: thin over ContextState. Context::create is assembly's, which knows the parts.
#include "gpuio/context.hpp"

#include "base/try.h"
#include "core/context_state.h"

namespace gpuio {

using core::Operation;

Result<Store> Context::open(std::string_view uri, const OpenOptions& options) const {
  return state_->open(uri, options);
}
Result<Device> Context::device(std::string_view name) const { return state_->device(name); }
std::vector<std::string> Context::device_names() const { return state_->device_names(); }

Result<Request> Context::read(const Store& store, const Slice& destination, const TransferOptions& options) const {
  return read(store, Layout(), destination, options);
}

Result<Request> Context::read(const Store& store, const Layout& extents, const Slice& destination,
                              const TransferOptions& options) const {
  const Transfer transfer{store, extents, destination, Layout()};
  return read(std::span(&transfer, 1), options);
}

Result<Request> Context::read(std::span<const Transfer> transfers, const TransferOptions& options) const {
  return state_->start(state_->prepare(Operation::read, transfers, options));
}

Result<Request> Context::write(const Store& store, const Slice& source, const TransferOptions& options) const {
  return write(store, Layout(), source, options);
}

Result<Request> Context::write(const Store& store, const Layout& extents, const Slice& source,
                               const TransferOptions& options) const {
  const Transfer transfer{store, extents, source, Layout()};
  return write(std::span(&transfer, 1), options);
}

Result<Request> Context::write(std::span<const Transfer> transfers, const TransferOptions& options) const {
  return state_->start(state_->prepare(Operation::write, transfers, options));
}

Result<Request> Context::copy(const Slice& source, const Slice& destination, const TransferOptions& options) const {
  return state_->start(state_->prepare_copy(source, destination, options));
}

Result<Buffer> Context::map(const Store& store, const MapOptions& options) const { return state_->map(store, options); }

Batch Context::batch() const { return Batch(state_); }
bool Context::poll() const { return state_->executor().turn(); }
int Context::wake_fd() const noexcept { return state_->executor().wake_fd(); }
Status Context::set(std::string_view key, std::string_view value) const { return state_->set(key, value); }
Settings Context::settings() const { return state_->settings(); }
Statistics Context::statistics() const { return state_->statistics(); }
Result<Topology> Context::topology() const { return read_topology(); }
std::vector<Finding> Context::diagnose() const { return state_->diagnose(); }

Result<Request> Batch::read(const Store& store, const Layout& extents, const Slice& destination,
                            const TransferOptions& options) {
  return add(Operation::read, {store, extents, destination, Layout()}, options);
}

Result<Request> Batch::write(const Store& store, const Layout& extents, const Slice& source,
                             const TransferOptions& options) {
  return add(Operation::write, {store, extents, source, Layout()}, options);
}

Result<Request> Batch::add(Operation operation, const Transfer& transfer, const TransferOptions& options) {
  GPUIO_ASSIGN(Request request, state_->prepare(operation, std::span(&transfer, 1), options));
  requests_.push_back(request);
  return request;
}

Status Batch::submit() {
  if (requests_.empty()) return {};
  std::vector<core::RequestState*> states;
  states.reserve(requests_.size());
  for (const Request& request : requests_) states.push_back(request.state());
  GPUIO_TRY(state_->submit(states));
  requests_.clear();
  return {};
}

std::size_t Batch::size() const noexcept { return requests_.size(); }

}  // namespace gpuio
