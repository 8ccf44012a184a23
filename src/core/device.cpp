// SPDX-License-Identifier: Apache-2.0
#include "gpuio/device.hpp"

#include "base/try.h"
#include "core/device_state.h"
#include "core/memory/region.h"
#include "core/view/cache_lines.h"

namespace gpuio {

const DeviceInfo& Device::info() const noexcept { return state_->device().info(); }
Capability Device::capability(Ability ability) const { return state_->device().capability(ability); }
Result<MemoryUse> Device::memory_use() const { return state_->device().memory_use(); }

Result<Buffer> Device::allocate(std::uint64_t size_bytes, const AllocateOptions& options) const {
  return core::Region::allocate(state_->pointer(), size_bytes, options);
}

Result<Buffer> Device::wrap(void* address, std::uint64_t size_bytes, RegionKind kind) const {
  return core::Region::wrap(state_->pointer(), address, size_bytes, kind);
}

Result<Buffer> Device::wrap(void* address, std::uint64_t size_bytes, const WrapOptions& options) const {
  if (!options.sharing.coherent && !core::can_write_back()) {
    return Status(Code::unsupported, "the memory is not coherent, and this processor can't write cache lines back");
  }
  return core::Region::wrap(state_->pointer(), address, size_bytes, options.kind, options.sharing);
}

Result<Stream> Device::create_stream() const {
  GPUIO_ASSIGN(spi::StreamHandle handle, state_->device().create_stream());
  return Stream(std::make_shared<core::StreamState>(state_->pointer(), handle, true));
}

Result<Stream> Device::wrap_stream(void* native) const {
  GPUIO_ASSIGN(spi::StreamHandle handle, state_->device().wrap_stream(native));
  return Stream(std::make_shared<core::StreamState>(state_->pointer(), handle, false));
}

Result<int> Device::export_dmabuf(const Slice& slice) const {
  GPUIO_ASSIGN(const core::Resolved resolved, core::Region::resolve(slice));
  return state_->device().export_dmabuf(resolved.address, resolved.bytes);
}

}  // namespace gpuio
