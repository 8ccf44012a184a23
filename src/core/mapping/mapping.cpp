// SPDX-License-Identifier: Apache-2.0
// Context::map: a store's own bytes as a Region.
#include <limits>
#include <utility>

#include "base/try.h"
#include "core/context_state.h"
#include "core/mapping/mapped_memory.h"

namespace gpuio::core {

Result<Buffer> ContextState::map(const Store& store, const MapOptions& options) {
  if (!store) return Status(Code::closed, "the Store is empty: open it first");
  if (options.length > std::numeric_limits<std::int64_t>::max() - options.offset ||
      options.offset > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return Status(Code::out_of_range, "offset + length is past the last offset that there is")
        .with("offset", options.offset)
        .with("length", options.length);
  }
  std::shared_ptr<spi::Device> device;
  if (options.device != nullptr) {
    device = options.device->state()->pointer();
    if (find(*device) == nullptr) return Status(Code::invalid_argument, "the device belongs to another Context");
  } else {
    GPUIO_ASSIGN(const Device host, this->device("host"));
    device = host.state()->pointer();
  }
  const std::shared_ptr<StoreState>& state = store.state();
  GPUIO_ASSIGN(std::unique_ptr<spi::Mapping> mapping,
               state->store().map({options.offset, options.length, options.access, options.reserve_bytes}));
  GPUIO_ASSIGN(std::unique_ptr<MappedMemory> memory, MappedMemory::create(state, std::move(mapping), device, options));
  std::byte* const base = memory->base();
  const std::uint64_t bytes = memory->size();
  return Region::adopt(std::move(device), base, bytes, RegionKind::shared, std::move(memory));
}

}  // namespace gpuio::core
