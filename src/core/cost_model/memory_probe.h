// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/cost_model/crew.h"
#include "core/cost_model/fingerprint.h"
#include "core/cost_model/session.h"
#include "core/memory/host_pages.h"

namespace gpuio::core {

/// Measures memory of one node from the cores near it. Holds its memory and threads from `start` to its end; each
/// member measures one thing and puts it into `cost`. Thread safety: none.
class MemoryProbe {
 public:
  /// Maps memory larger than the caches, a quarter of what is free at most. Fails with `out_of_memory`, also where the
  /// node has none left and the kernel would give another's.
  [[nodiscard]] static Result<std::unique_ptr<MemoryProbe>> start(const Session& session, const UsableNode& node);

  [[nodiscard]] Status measure_bandwidth();
  [[nodiscard]] Status measure_latency();
  [[nodiscard]] Status measure_rows();
  [[nodiscard]] Status measure_atomics();

  [[nodiscard]] const MemoryCost& cost() const noexcept { return cost_; }

 private:
  MemoryProbe(const Session& session, HostPages pages, Crew one, std::optional<Crew> all) noexcept;

  [[nodiscard]] const Crew& all() const noexcept { return all_ ? *all_ : one_; }
  [[nodiscard]] Status measure_rates(const Crew& crew, MemoryRates& rates);
  [[nodiscard]] Result<double> rate_of_rows(const Crew& crew, std::span<const std::uint32_t> ids,
                                            std::uint64_t row_bytes);
  [[nodiscard]] Result<double> rate_of_atomics(const Crew& crew, bool shared);

  const Session& session_;
  Meter meter_;
  HostPages pages_;
  Crew one_;
  std::optional<Crew> all_;  ///< None where one thread is all there is.
  MemoryCost cost_;
};

/// Measures what does not depend on a node.
[[nodiscard]] Result<ProcessorCost> measure_processor(const Session& session);

}  // namespace gpuio::core
