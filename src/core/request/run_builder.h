// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "core/cost_model/cost_model.h"
#include "core/request/planner.h"
#include "core/request/run_state.h"

namespace gpuio::core {

/// Cuts Requests into runs: takes pieces from the front of a queue while they can travel together. Reactor only.
class RunBuilder {
 public:
  struct Options {
    std::uint64_t coalesce_gap_bytes = 16U << 10U;
    std::uint64_t run_bytes_max = 8U << 20U;  ///< Of runs that no storage device serves: resident bytes, copies.
    std::shared_ptr<const Costs> costs = std::make_shared<const Costs>();
  };
  enum class Outcome : std::uint8_t {
    built,      ///< `run` has at least one piece.
    exhausted,  ///< The queue's Requests are all cut.
    blocked,    ///< No slab now.
    failed,     ///< No slab ever; the front Request's remainder got `failure()`.
  };

  RunBuilder(const Options& options, Planner& planner) : options_(options), planner_(planner) {}

  /// Fills `run` from the front of `queue` and pops what is cut to its end. `storage_bytes_max` bounds runs that
  /// reach storage, `span_bytes_max` those that pool workers move from memory to memory.
  [[nodiscard]] Outcome build(RunState& run, std::deque<RequestPointer>& queue, std::uint64_t storage_bytes_max,
                              std::uint64_t span_bytes_max);

  /// Requests that ended being cut in the last build, to be looked at for completion.
  [[nodiscard]] std::vector<RequestPointer>& cut_to_end() noexcept { return cut_to_end_; }
  [[nodiscard]] const Status& failure() const noexcept { return failure_; }
  [[nodiscard]] std::uint64_t coalesced() const noexcept { return coalesced_; }

 private:
  enum class Extend : std::uint8_t { more, full, blocked, failed };

  [[nodiscard]] Extend extend(RunState& run, RequestState& request, std::uint64_t storage_bytes_max);
  /// As extend where there is no store, and one piece says it all: by pool workers, by one kernel, or a fill.
  /// In copy_runs.cpp, as the next four.
  [[nodiscard]] Extend extend_span(RunState& run, RequestState& request, const ResolvedTransfer& transfer);
  [[nodiscard]] std::uint64_t add_kernel_list(RunState& run, RequestState& request, const ResolvedTransfer& transfer);
  /// There is no pinned memory for its bytes or list, and never will be: the copy engine's, if that reaches its memory.
  [[nodiscard]] static Extend without_pinned(RequestState& request, std::string_view reason);
  /// Has a span's bytes pass through the run's slab.
  static void put_in_slab(RunState& run);
  [[nodiscard]] Extend take_list(RunState& run, const ResolvedTransfer& transfer);
  /// Whether the pieces of a slab move with one kernel instead of a copy each.
  [[nodiscard]] bool pays_kernel(const RunState& run) const noexcept;
  [[nodiscard]] bool fits(const RunState& run, const RequestState& request, const ResolvedTransfer& transfer,
                          const Decision& decision, std::uint64_t storage_bytes_max) const noexcept;
  [[nodiscard]] Extend begin(RunState& run, RequestState& request, const ResolvedTransfer& transfer,
                             const Decision& decision);
  /// Makes the first piece fit, widened as it will be.
  void cut_to_slab(const RunState& run, Decision& decision) noexcept;
  [[nodiscard]] bool add_in_place(RunState& run, RequestState& request, const ResolvedTransfer& transfer,
                                  const Decision& decision);
  [[nodiscard]] bool add_to_slab(RunState& run, RequestState& request, const ResolvedTransfer& transfer,
                                 const Decision& decision);
  /// Adds what follows in the same transfer, while it travels in place as the run's last piece does.
  void add_alike(RunState& run, RequestState& request, std::uint64_t storage_bytes_max);
  static void advance(RequestState& request, std::uint64_t bytes);
  static void settle(RequestState& request);

  Options options_;
  Planner& planner_;
  std::vector<RequestPointer> cut_to_end_;
  Status failure_;
  std::uint64_t span_bytes_max_ = 0;
  std::uint64_t slab_used_ = 0;
  std::uint64_t slab_room_ = 0;  ///< Of the slab, for pieces: what is behind is the kernel's list.
  std::uint64_t coalesced_ = 0;
};

}  // namespace gpuio::core
