// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "core/cost_model/cost_model.h"
#include "core/counters.h"
#include "core/device_state.h"
#include "core/memory/loans.h"
#include "core/memory/pinned_budget.h"
#include "core/parts.h"
#include "core/placement/memory_tiers.h"
#include "core/request/request_state.h"
#include "core/request/scheduler.h"
#include "core/settings/settings_values.h"
#include "gpuio/context.hpp"
#include "gpuio/map.hpp"

namespace gpuio::core {

/// What a copy is asked for: bytes of one Slice to bytes of another.
struct CopySides {
  const Slice& source;
  const Layout& source_layout;
  const Slice& destination;
  const Layout& destination_layout;
};

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
  /// For those who measure it: a device as its driver has it, past queues and budgets.
  [[nodiscard]] Result<std::shared_ptr<spi::Device>> open_device(std::string_view name);

  [[nodiscard]] Result<Buffer> map(const Store& store, const MapOptions& options);

  /// Checked, holding all it needs, not queued.
  [[nodiscard]] Result<Request> prepare(Operation operation, std::span<const Transfer> transfers,
                                        const TransferOptions& options);
  [[nodiscard]] Result<Request> prepare_copy(const CopySides& sides, const TransferOptions& options);
  [[nodiscard]] Result<Request> prepare_fill(const Slice& destination, std::span<const std::byte> pattern,
                                             const TransferOptions& options);
  [[nodiscard]] Status submit(std::span<RequestState* const> requests);
  [[nodiscard]] Result<Request> start(Result<Request> prepared);

  [[nodiscard]] Status set(std::string_view key, std::string_view value);
  [[nodiscard]] Settings settings();
  [[nodiscard]] Statistics statistics();
  [[nodiscard]] std::vector<Finding> diagnose();
  [[nodiscard]] const Costs& costs() const noexcept { return *costs_; }
  [[nodiscard]] spi::Executor& executor() noexcept { return *executor_; }

 private:
  ContextState(const ContextOptions& options, std::shared_ptr<spi::Executor> executor,
               std::shared_ptr<const Costs> costs);
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
  [[nodiscard]] static bool read_inline(const ResolvedTransfer& transfer);
  [[nodiscard]] Status finish_preparing(RequestState& request, const TransferOptions& options);

  void slab_memory_added(std::byte* base, std::size_t bytes) override;
  void slab_memory_removed(std::byte* base) override;

  std::shared_ptr<spi::Executor> executor_;
  std::mutex settings_mutex_;
  Settings settings_;
  const SettingsValues values_;  ///< As at creation; what is reloadable is told to whom it concerns.
  const std::shared_ptr<const Costs> costs_;
  const std::uint64_t inline_bytes_max_;
  const std::string_view inline_reason_;
  Counters counters_;
  const std::shared_ptr<PinnedBudget> budget_;
  SlabRingGroup slab_rings_;
  const MemoryTiers memory_tiers_;
  LoanBook loans_;
  std::vector<std::shared_ptr<spi::Engine>> engines_;
  std::vector<std::shared_ptr<spi::DeviceDriver>> drivers_;
  std::mutex devices_mutex_;
  std::map<std::string, std::shared_ptr<DeviceState>, std::less<>> devices_;
  std::shared_ptr<StoreState> memory_store_;  ///< For copies that need slabs.
  std::unique_ptr<Scheduler> scheduler_;
};

}  // namespace gpuio::core
