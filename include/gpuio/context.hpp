// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gpuio/device.hpp"
#include "gpuio/finding.hpp"
#include "gpuio/layout.hpp"
#include "gpuio/map.hpp"
#include "gpuio/memory.hpp"
#include "gpuio/request.hpp"
#include "gpuio/result.hpp"
#include "gpuio/settings.hpp"
#include "gpuio/statistics.hpp"
#include "gpuio/store.hpp"
#include "gpuio/topology.hpp"

namespace gpuio {

namespace core {
class ContextState;
enum class Operation : std::uint8_t;
}  // namespace core

/// Who drives the work.
enum class Drive : std::uint8_t {
  threads,  ///< The Context's own: one reactor and a pool sized to the machine.
  caller,   ///< Nobody but `Context::poll` and blocking waits, on the threads that call them. No thread is started.
};

/// How a Context is made.
struct ContextOptions {
  Settings settings = Settings::load().value();  ///< Default: file and environment, see settings.hpp.
  Drive drive = Drive::threads;                  ///< Who drives the work.
};

class Batch;

/// The root object: settings, devices, engines, scheduler, statistics. Several may live in one process.
///
/// A handle; copies refer to the same Context. The last one stops it: running Requests are cancelled and drained.
/// Thread safety: all members, any thread.
class Context {
 public:
  /// Ready in milliseconds: accelerators are opened when first asked for. Fails with `invalid_argument` (settings).
  [[nodiscard]] static Result<Context> create();
  [[nodiscard]] static Result<Context> create(const ContextOptions& options);  ///< As above, with options.

  /// Opens a store. A plain path means `file://`. Fails with `not_found`, `permission_denied`, `invalid_argument`
  /// (names the URI's part; a directory; an unknown parameter), `unsupported` (scheme, with those there are).
  [[nodiscard]] Result<Store> open(std::string_view uri, const OpenOptions& options = {}) const;

  /// "host", "cuda:1", or "auto": the first accelerator that works, else the host. Fails with `not_found` and the
  /// reason.
  [[nodiscard]] Result<Device> device(std::string_view name) const;
  /// Every device that can be opened; opens none.
  [[nodiscard]] std::vector<std::string> device_names() const;

  /// Reads the store from its start into all of `destination`. Started when it returns; nothing has blocked.
  ///
  /// Fails at once with `out_of_range` (the store is shorter; offsets overflow), `invalid_argument` (zero bytes, sizes
  /// of the two sides differ, capturing stream), `stale` (a freed Buffer), `closed`, `would_block`
  /// (scheduler.queue_depth_max reached). What fails later is in Request::failures, by part. Cost: one allocation, none
  /// per extent; a small read of bytes in memory is done before this returns.
  [[nodiscard]] Result<Request> read(const Store& store, const Slice& destination,
                                     const TransferOptions& options = {}) const;
  /// Reads `extents`, packed in their order, into `destination`.
  [[nodiscard]] Result<Request> read(const Store& store, const Layout& extents, const Slice& destination,
                                     const TransferOptions& options = {}) const;
  /// Reads any number of transfers, of one or many stores, as one Request.
  [[nodiscard]] Result<Request> read(std::span<const Transfer> transfers, const TransferOptions& options = {}) const;

  /// As read, the other way. Extents of one Request that overlap leave either's bytes. Writing past the end grows a
  /// store.
  [[nodiscard]] Result<Request> write(const Store& store, const Slice& source,
                                      const TransferOptions& options = {}) const;
  /// Writes `source` to `extents`, in their order.
  [[nodiscard]] Result<Request> write(const Store& store, const Layout& extents, const Slice& source,
                                      const TransferOptions& options = {}) const;
  /// As read of transfers.
  [[nodiscard]] Result<Request> write(std::span<const Transfer> transfers, const TransferOptions& options = {}) const;

  /// Copies between two Slices of equal size on any devices; they may not overlap.
  [[nodiscard]] Result<Request> copy(const Slice& source, const Slice& destination,
                                     const TransferOptions& options = {}) const;

  /// The store's own bytes as memory: a Buffer of kind `shared`, whose loads and stores are those of everybody who has
  /// the store open, and which goes wherever a Slice is asked for. `Store::flush` makes what was stored durable. The
  /// Store stays open as long as the Buffer lives.
  ///
  /// Fails with `out_of_range` (past the end; nothing to map), `permission_denied` (for writing, of a Store opened for
  /// reading), `invalid_argument` (not whole pages of a dax device or of huge pages), `unsupported` (a Store without
  /// bytes of its own; DeviceAccess::required and the reason), `out_of_memory`, and with `prefault` as that.
  [[nodiscard]] Result<Buffer> map(const Store& store, const MapOptions& options = {}) const;

  /// Collects Requests that are then queued together: one hand-over for all.
  [[nodiscard]] Batch batch() const;

  /// Does what can be done now and returns at once; true if anything was. For Drive::caller, harmless otherwise.
  bool poll() const;
  /// Readable when poll has something to do (Drive::caller); -1 otherwise.
  [[nodiscard]] int wake_fd() const noexcept;

  /// Changes a reloadable setting while running (bandwidth limits, logging). Fails as Settings::set.
  [[nodiscard]] Status set(std::string_view key, std::string_view value) const;
  [[nodiscard]] Settings settings() const;  ///< As they are now.

  [[nodiscard]] Statistics statistics() const;  ///< A reading of all counters.

  /// Nodes of memory, the devices near them, and CXL, as the kernel tells them now: see topology.hpp. Opens no
  /// accelerator and starts nothing; takes milliseconds. Fails as read_topology.
  [[nodiscard]] Result<Topology> topology() const;

  /// What this machine can and can't do for us, each with the reason. Probes; takes up to some 100 ms, opens
  /// accelerators.
  [[nodiscard]] std::vector<Finding> diagnose() const;

  [[nodiscard]] const std::shared_ptr<core::ContextState>& state() const noexcept { return state_; }

 private:
  friend class core::ContextState;
  explicit Context(std::shared_ptr<core::ContextState> state) : state_(std::move(state)) {}
  std::shared_ptr<core::ContextState> state_;
};

/// Requests to be queued together. Not thread-safe; use one per thread.
class Batch {
 public:
  /// As Context::read and write, but nothing starts before submit. The Request is returned unstarted.
  [[nodiscard]] Result<Request> read(const Store& store, const Layout& extents, const Slice& destination,
                                     const TransferOptions& options = {});
  /// As Context::write; not started either.
  [[nodiscard]] Result<Request> write(const Store& store, const Layout& extents, const Slice& source,
                                      const TransferOptions& options = {});
  /// Queues all of them, or none (`would_block`, they stay in the Batch). The Batch is empty then and may be used
  /// again.
  [[nodiscard]] Status submit();
  [[nodiscard]] std::size_t size() const noexcept;  ///< Requests not yet submitted.

 private:
  friend class Context;
  explicit Batch(std::shared_ptr<core::ContextState> state) : state_(std::move(state)) {}
  [[nodiscard]] Result<Request> add(core::Operation operation, const Transfer& transfer,
                                    const TransferOptions& options);

  std::shared_ptr<core::ContextState> state_;
  std::vector<Request> requests_;
};

}  // namespace gpuio
