// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "core/request/path.h"
#include "gpuio/cost_model.hpp"
#include "gpuio/device.hpp"
#include "gpuio/finding.hpp"
#include "gpuio/settings.hpp"

/// The planner's side of the cost model: what is decided by measured costs, and by what without them.
namespace gpuio::core {

/// Up to here, many pieces that pass through a slab move with one kernel, where no model says otherwise.
inline constexpr std::uint64_t kKernelPieceBytesMax = 256ULL << 10U;

/// A way to bring rows of a table in host memory into a device's, or back.
enum class RowWay : std::uint8_t {
  kernel,       ///< A kernel reads or writes them where they are.
  copy_engine,  ///< A copy for each.
  staged,       ///< Host threads gather them into a pinned slab, one copy takes it over; or back.
};

/// Rows of a table in host memory that a device gathers or scatters.
struct RowTraffic {
  std::uint64_t row_bytes = 0;
  std::uint64_t rows = 0;
  bool mapped = false;  ///< The table lies in a Region of that kind, else in pinned memory.
  bool to_device = true;
  /// What is possible here.
  bool by_kernel = true;
  bool by_staging = true;
};

/// The quickest of the possible ways by what was measured of `device` and the host; none where no time is known.
/// Scatters by kernels and host threads were not measured, and are taken to be as quick as gathers.
[[nodiscard]] std::optional<RowWay> quickest_row_way(const CostModel& model, const DeviceInfo& device,
                                                     const RowTraffic& traffic);

/// The model of one Context, or why there is none, and the planner's questions to it. Immutable. Thread safety: all
/// members, any thread.
class Costs {
 public:
  /// No model: every answer is the default.
  Costs();

  /// Reads the file that the settings name, and from a model sets streamed_bytes_min(). Whatever is wrong with the file
  /// is in `model().error()`, and logged unless it is only missing.
  [[nodiscard]] static std::shared_ptr<const Costs> load(const Settings& settings);

  /// As `load` found one.
  explicit Costs(CostModel model, std::string path = {});

  [[nodiscard]] const Result<CostModel>& model() const noexcept { return model_; }

  /// scheduler.inline_bytes_max: what was set, else the model's, else the default.
  [[nodiscard]] std::uint64_t inline_bytes_max(const Settings& settings) const;
  /// Whether that was the model's answer.
  [[nodiscard]] bool decides_inline(const Settings& settings) const;

  [[nodiscard]] std::uint64_t kernel_piece_bytes_max(const DeviceInfo& device) const noexcept;

  /// The way of resident bytes to `device` before any was tried; none: the model does not know the device.
  [[nodiscard]] std::optional<Carriage> hot_way(const DeviceInfo& device) const noexcept;

  /// As quickest_row_way; none without a model.
  [[nodiscard]] std::optional<RowWay> row_way(const DeviceInfo& device, const RowTraffic& traffic) const;

  /// For `gpuio doctor`.
  [[nodiscard]] Finding finding() const;

 private:
  Costs(Status why_none, std::string path);

  [[nodiscard]] const DeviceThresholds* find(const DeviceInfo& device) const noexcept;

  std::string path_;
  Result<CostModel> model_;
  CostThresholds thresholds_;
};

}  // namespace gpuio::core
