// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "core/counters.h"
#include "core/device_state.h"
#include "core/loans.h"
#include "core/parts.h"
#include "core/pinned_budget.h"
#include "core/request_state.h"
#include "core/scheduler.h"
#include "core/settings_values.h"
#include "gpuio/context.hpp"
#include "gpuio/map.hpp"

namespace gpuio::core {

/// A Context: its parts, its devices as they are opened, and the checks that every call passes before anything starts.
class ContextState final : public SlabMemoryListener {
 public:
  static Result<Context> create(const ContextOptions& options, Parts parts);
  ~ContextState();
  ContextState(const ContextState&) = delete;
  ContextState& operator=(const ContextState&) = delete;

  [[nodiscard]] Result<Store> open(std::string_view uri, const OpenOptions& options);
  [[nodiscard]] Result<Device> device(std::string_view name);
  [[nodiscard]] std::vector<std::string> device_names();

  [[nodiscard]] Result<Buffer> map(const Store& store, const MapOptions& options);

  /// Checked, holding all it needs, not queued.
  [[nodiscard]] Result<Request> prepare(Operation operation, std::span<const Transfer> transfers,
                                        const TransferOptions& options);
  [[nodiscard]] Result<Request> prepare_copy(const Slice& source, const Slice& destination,
                                             const TransferOptions& options);
  [[nodiscard]] Status submit(std::span<RequestState* const> requests);
  [[nodiscard]] Result<Request> start(Result<Request> prepared);

  [[nodiscard]] Status set(std::string_view key, std::string_view value);
  [[nodiscard]] Settings settings();
  [[nodiscard]] Statistics statistics();
  [[nodiscard]] std::vector<Finding> diagnose();
  [[nodiscard]] spi::Executor& executor() noexcept { return *executor_; }

 private:
  ContextState(const ContextOptions& options, std::shared_ptr<spi::Executor> executor);
  [[nodiscard]] Status add_parts(const Parts& parts);
  [[nodiscard]] Result<std::shared_ptr<DeviceState>> find_or_open(const std::shared_ptr<spi::DeviceDriver>& driver,
                                                                  int ordinal);
  static void append_topology_findings(std::vector<Finding>& findings);
  static void append_device_findings(const spi::Device& device, std::vector<Finding>& findings);
  [[nodiscard]] DeviceState* find(const spi::Device& device);
  [[nodiscard]] Status resolve(Operation operation, const Transfer& transfer, std::size_t index,
                               ResolvedTransfer& resolved);
  [[nodiscard]] Status resolve_memory(const Slice& slice, std::string_view argument, ResolvedTransfer& resolved);
  void set_deadline(RequestState& request, const TransferOptions& options);
  [[nodiscard]] Status set_stream(RequestState& request, const Stream& stream);
  /// Has `request` start after the stream's work so far, and later work of the stream wait for it.
  [[nodiscard]] Status enter_stream(RequestState& request);
  /// Undoes that: lets the stream pass.
  void leave_stream(RequestState& request);
  [[nodiscard]] bool run_inline(RequestState& request);

  void slab_memory_added(std::byte* base, std::size_t bytes) override;
  void slab_memory_removed(std::byte* base) override;

  std::shared_ptr<spi::Executor> executor_;
  std::mutex settings_mutex_;
  Settings settings_;
  const SettingsValues values_;  ///< As at creation; what is reloadable is told to whom it concerns.
  Counters counters_;
  const std::shared_ptr<PinnedBudget> budget_;
  SlabRingGroup slab_rings_;
  LoanBook loans_;
  std::vector<std::shared_ptr<spi::Engine>> engines_;
  std::vector<std::shared_ptr<spi::DeviceDriver>> drivers_;
  std::mutex devices_mutex_;
  std::map<std::string, std::shared_ptr<DeviceState>, std::less<>> devices_;
  std::shared_ptr<StoreState> memory_store_;  ///< For copies that need slabs.
  std::unique_ptr<Scheduler> scheduler_;
};

}  // namespace gpuio::core
