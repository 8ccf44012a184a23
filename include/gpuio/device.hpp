// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gpuio/memory.hpp"
#include "gpuio/result.hpp"
#include "gpuio/stream.hpp"

namespace gpuio {

namespace core {
class ContextState;
class DeviceState;
}  // namespace core

/// How memory is to be allocated.
struct AllocateOptions {
  RegionKind kind = RegionKind::device;  ///< What the memory is made of.
  std::optional<int> numa_node{};        ///< Host memory only: bind to this node; default: the device's nearest.
};

/// What the caller's memory is, for Device::wrap.
struct WrapOptions {
  RegionKind kind = RegionKind::device;  ///< What it is made of.
  Sharing sharing{};                     ///< Who else reaches it, which nobody but the caller knows.
};

/// What a device is, as far as its driver tells.
struct DeviceInfo {
  std::string name;                ///< "host", "cuda:0": what Context::device takes.
  std::string model;               ///< As the vendor calls it.
  std::uint64_t memory_bytes = 0;  ///< All of it.
  int numa_node = -1;              ///< Nearest node of host memory, -1 if unknown.
  std::string bus_id;              ///< PCI address, empty on the host.
};

/// How much of a device's memory is in use by anybody, in bytes.
struct MemoryUse {
  std::uint64_t free_bytes = 0;   ///< Not in use by any process.
  std::uint64_t total_bytes = 0;  ///< All of it.
};

/// A processor with memory, copies, streams and kernels: `host`, `cuda:0`, ...
///
/// A handle; copies refer to the same device. Valid while its Context lives. Thread safety: all members, any thread.
class Device {
 public:
  [[nodiscard]] const DeviceInfo& info() const noexcept;  ///< What its driver told when it was opened.
  [[nodiscard]] std::string_view name() const noexcept { return info().name; }  ///< "host", "cuda:0".

  /// Whether this device can do something, with the reason where it can't. Costs nothing; probed when it was opened.
  [[nodiscard]] Capability capability(Ability ability) const;
  [[nodiscard]] Result<MemoryUse> memory_use() const;  ///< Asks the driver.

  /// Allocates `size_bytes` (> 0). Contents are undefined. Fails with `out_of_memory`, `invalid_argument` (zero),
  /// `resource_exhausted` (pinned kinds: memlock), `unsupported` (the device lacks the kind; the reason is
  /// `capability(...)`'s), `not_found` (NUMA node). May synchronise the device, as its allocator does.
  [[nodiscard]] Result<Buffer> allocate(std::uint64_t size_bytes, const AllocateOptions& options = {}) const;

  /// Lends memory that the caller owns (a tensor of another library) as a Buffer. `address` must stay valid until the
  /// Buffer is freed and every Request on it is quiet. `kind` says what it is; nothing is copied or registered.
  [[nodiscard]] Result<Buffer> wrap(void* address, std::uint64_t size_bytes,
                                    RegionKind kind = RegionKind::device) const;
  /// As above, for memory that others reach too: mapped from a file, a memfd, a dax device. Fails with `unsupported`
  /// for memory that is not coherent on a processor that can't write cache lines back.
  [[nodiscard]] Result<Buffer> wrap(void* address, std::uint64_t size_bytes, const WrapOptions& options) const;

  [[nodiscard]] Result<Stream> create_stream() const;  ///< A new order of work. Fails with `device_error`.

  /// A Stream handle for a stream of the vendor's runtime (cudaStream_t); not owned. Fails with `unsupported` on
  /// `host`.
  [[nodiscard]] Result<Stream> wrap_stream(void* native) const;

  /// Exports a `device` Region as a dma-buf file descriptor that the caller closes. Fails with `unsupported` and the
  /// reason.
  [[nodiscard]] Result<int> export_dmabuf(const Slice& slice) const;

 private:
  friend class core::ContextState;
  explicit Device(std::shared_ptr<core::DeviceState> state) : state_(std::move(state)) {}

  std::shared_ptr<core::DeviceState> state_;
};

}  // namespace gpuio
