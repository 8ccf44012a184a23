// SPDX-License-Identifier: Apache-2.0
#include "core/cost_model/cost_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/align.h"
#include "base/log.h"
#include "base/units.h"
#include "core/cost_model/streamed_bytes.h"
#include "core/settings/settings_values.h"

namespace gpuio {
namespace {

constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

/// A first guess other than the default has to be this much better: rates of the parts are not those of the whole.
constexpr double kClearlyQuicker = 1.2;

/// The size from which on the second of two rates is never below the first, as measured from the largest down; kNone if
/// the largest itself is not.
template <class Rates, class Better>
std::uint64_t from_where(const Rates& rates, Better better) {
  std::uint64_t from = kNone;
  for (auto rate = rates.rbegin(); rate != rates.rend() && better(*rate); ++rate) from = rate->bytes;
  return from;
}

/// The size up to which `better` holds without a gap, from the smallest up; 0 if not for the smallest itself.
template <class Rates, class Better>
std::uint64_t up_to_where(const Rates& rates, Better better) {
  std::uint64_t up_to = 0;
  for (auto rate = rates.begin(); rate != rates.end() && better(*rate); ++rate) up_to = rate->bytes;
  return up_to;
}

/// The node that most memory comes from, as far as anybody can tell: the one that copies quickest.
const MemoryCost* best_memory(const CostModel& model) {
  const auto best = std::ranges::max_element(
      model.memory, {}, [](const MemoryCost& memory) { return memory.all_threads.copy_bytes_per_second; });
  return best == model.memory.end() ? nullptr : &*best;
}

/// A read of b bytes costs b / one here, and a hand-over and b / all there: the b for which both are the same.
std::uint64_t inline_bytes_max(const CostModel& model) {
  constexpr std::uint64_t kLeast = 16 * base::kKiB;
  constexpr std::uint64_t kMost = 256 * base::kKiB;  // Longer, and it is the caller's thread that everything waits for.
  const MemoryCost* memory = best_memory(model);
  if (memory == nullptr || model.processor.hand_over_ns <= 0) return 0;
  const double one = memory->one_thread.copy_bytes_per_second;
  const double all = memory->all_threads.copy_bytes_per_second;
  if (one <= 0 || all <= 0) return 0;
  if (all <= one) return kMost;
  const double bytes = model.processor.hand_over_ns / 1e9 / (1 / one - 1 / all);
  const double bounded = std::clamp(bytes, static_cast<double>(kLeast), static_cast<double>(kMost));
  return base::align_down<std::uint64_t>(static_cast<std::uint64_t>(bounded), 4 * base::kKiB);
}

double best_link(const DeviceCost& device, double LinkRate::* bytes_per_second) {
  double best = 0;
  for (const LinkRate& rate : device.link) best = std::max(best, rate.*bytes_per_second);
  return best;
}

/// The parts of a way overlap, so the slowest sets its rate.
std::string hot_path_of(const CostModel& model, const DeviceCost& device) {
  const MemoryCost* memory = best_memory(model);
  const double link = best_link(device, &LinkRate::to_device_bytes_per_second);
  const double kernel = device.pieces.empty() ? 0 : device.pieces.back().kernel_bytes_per_second;
  const double slabs = std::min(link, memory == nullptr ? link : memory->all_threads.copy_bytes_per_second);
  const double lent = std::min(link, device.register_bytes_per_second);
  const double lent_kernel = std::min(kernel, device.register_bytes_per_second);
  if (std::max(lent, lent_kernel) < kClearlyQuicker * slabs) return "copy";
  return lent >= lent_kernel ? "register" : "kernel";
}

DeviceThresholds thresholds_of(const CostModel& model, const DeviceCost& device) {
  const auto kernel_is_better = [](const PieceRate& rate) {
    return rate.kernel_bytes_per_second >= rate.copy_engine_bytes_per_second;
  };
  DeviceThresholds thresholds;
  thresholds.name = device.name;
  thresholds.bus_id = device.bus_id;
  thresholds.kernel_piece_bytes_max =
      device.pieces.empty() ? core::kKernelPieceBytesMax : up_to_where(device.pieces, kernel_is_better);
  thresholds.hot_path = hot_path_of(model, device);
  return thresholds;
}

}  // namespace

CostThresholds CostModel::thresholds() const {
  const auto streaming_is_better = [](const StreamingRate& rate) {
    return rate.streamed_bytes_per_second > 0 && rate.streamed_bytes_per_second >= rate.cached_bytes_per_second;
  };
  CostThresholds thresholds;
  thresholds.inline_bytes_max = inline_bytes_max(*this);
  thresholds.streamed_copy_bytes_min =
      processor.streaming.empty() ? core::kStreamedBytesMin : from_where(processor.streaming, streaming_is_better);
  for (const DeviceCost& device : devices) thresholds.devices.push_back(thresholds_of(*this, device));
  return thresholds;
}

namespace core {
namespace {

/// A device is known by its address, since its number depends on which devices a process sees.
template <class Known>
bool is_same(const Known& known, const DeviceInfo& device) {
  return known.bus_id.empty() ? known.name == device.name : known.bus_id == device.bus_id;
}

/// The rate of the nearest length that was measured.
template <class Rates, class Length>
const auto* nearest(const Rates& rates, std::uint64_t length, Length length_of) {
  const auto distance = [&](const auto& rate) {
    return std::max(length_of(rate), length) - std::min(length_of(rate), length);
  };
  const auto found = std::ranges::min_element(rates, {}, distance);
  return found == rates.end() ? nullptr : &*found;
}

/// A time that is not known: longer than any that is.
constexpr double kNever = std::numeric_limits<double>::infinity();

double seconds(double units, double units_per_second) {
  return units_per_second > 0 ? units / units_per_second : kNever;
}

/// Of all rows, at the rate of the nearest length that was measured: beyond it bytes set the time; below it, rows do.
template <class Rate>
double row_seconds(const RowTraffic& traffic, const std::vector<Rate>& rates, double Rate::* rows_per_second) {
  const Rate* const rate = nearest(rates, traffic.row_bytes, [](const Rate& known) { return known.row_bytes; });
  if (rate == nullptr) return kNever;
  const double longer = std::max(1.0, static_cast<double>(traffic.row_bytes) / static_cast<double>(rate->row_bytes));
  return seconds(static_cast<double>(traffic.rows) * longer, rate->*rows_per_second);
}

double kernel_seconds(const DeviceCost& cost, const RowTraffic& traffic) {
  return cost.launch_ns / 1e9 +
         row_seconds(traffic, cost.rows,
                     traffic.mapped ? &DeviceRowRate::mapped_rows_per_second : &DeviceRowRate::pinned_rows_per_second);
}

double engine_seconds(const DeviceCost& cost, const RowTraffic& traffic) {
  if (traffic.mapped) return kNever;  // Pieces were measured in pinned memory, and copy engines are slow on this.
  const PieceRate* const rate =
      nearest(cost.pieces, traffic.row_bytes, [](const PieceRate& known) { return known.bytes; });
  if (rate == nullptr) return kNever;
  // A copy of less than the shortest measured takes as long.
  const auto piece_bytes = static_cast<double>(std::max(traffic.row_bytes, rate->bytes));
  return seconds(static_cast<double>(traffic.rows) * piece_bytes, rate->copy_engine_bytes_per_second);
}

double staged_seconds(const CostModel& model, const DeviceCost& cost, const RowTraffic& traffic) {
  const MemoryCost* const memory = best_memory(model);
  if (memory == nullptr) return kNever;
  const double bytes = static_cast<double>(traffic.rows) * static_cast<double>(traffic.row_bytes);
  const double link = best_link(
      cost, traffic.to_device ? &LinkRate::to_device_bytes_per_second : &LinkRate::from_device_bytes_per_second);
  // One slab is packed while another is on the link.
  return (model.processor.hand_over_ns + cost.launch_ns) / 1e9 +
         std::max(row_seconds(traffic, memory->rows, &RowRate::all_threads_rows_per_second), seconds(bytes, link));
}

std::string shown_size(std::uint64_t bytes) {
  return bytes == kNone ? std::string("no size") : base::format_size(bytes);
}

constexpr std::string_view kCalibrate = "gpuio calibrate";

}  // namespace

std::optional<RowWay> quickest_row_way(const CostModel& model, const DeviceInfo& device, const RowTraffic& traffic) {
  const auto cost =
      std::ranges::find_if(model.devices, [&](const DeviceCost& known) { return is_same(known, device); });
  if (cost == model.devices.end()) return std::nullopt;
  const double kernel = traffic.by_kernel ? kernel_seconds(*cost, traffic) : kNever;
  const double engine = engine_seconds(*cost, traffic);
  const double staged = traffic.by_staging ? staged_seconds(model, *cost, traffic) : kNever;
  const double quickest = std::min({kernel, engine, staged});
  if (quickest == kNever) return std::nullopt;
  if (kernel == quickest) return RowWay::kernel;
  return engine == quickest ? RowWay::copy_engine : RowWay::staged;
}

Costs::Costs() : Costs(Status(Code::not_found, "no cost model"), "") {}

Costs::Costs(Status why_none, std::string path) : path_(std::move(path)), model_(std::move(why_none)) {}

Costs::Costs(CostModel model, std::string path)
    : path_(std::move(path)), model_(std::move(model)), thresholds_(model_->thresholds()) {}

std::shared_ptr<const Costs> Costs::load(const Settings& settings) {
  const std::string path = CostModel::path_of(settings);
  if (path.empty()) {
    const bool off = settings.values().core_cost_model == "off";
    const auto* const why = off ? "the setting core.cost_model is \"off\"" : "no folder for it: HOME is not set";
    return std::shared_ptr<const Costs>(new Costs(Status(Code::not_found, why), path));
  }
  Result<CostModel> model = CostModel::load(path);
  if (!model) {
    if (model.error().code() != Code::not_found) {
      GPUIO_LOG(warn, "core", "the cost model is not used: " + model.error().to_string());
    }
    return std::shared_ptr<const Costs>(new Costs(std::move(model).error(), path));
  }
  auto costs = std::make_shared<const Costs>(*std::move(model), path);
  streamed_bytes_setting().store(costs->thresholds_.streamed_copy_bytes_min, std::memory_order_relaxed);
  return costs;
}

bool Costs::decides_inline(const Settings& settings) const {
  const bool is_set = *settings.origin("scheduler.inline_bytes_max") != "default";
  return !is_set && thresholds_.inline_bytes_max > 0;
}

std::uint64_t Costs::inline_bytes_max(const Settings& settings) const {
  return decides_inline(settings) ? thresholds_.inline_bytes_max : settings.values().scheduler_inline_bytes_max;
}

const DeviceThresholds* Costs::find(const DeviceInfo& device) const noexcept {
  const auto found =
      std::ranges::find_if(thresholds_.devices, [&](const DeviceThresholds& known) { return is_same(known, device); });
  return found == thresholds_.devices.end() ? nullptr : &*found;
}

std::uint64_t Costs::kernel_piece_bytes_max(const DeviceInfo& device) const noexcept {
  const DeviceThresholds* known = find(device);
  return known == nullptr ? kKernelPieceBytesMax : known->kernel_piece_bytes_max;
}

std::optional<Carriage> Costs::hot_way(const DeviceInfo& device) const noexcept {
  const DeviceThresholds* known = find(device);
  if (known == nullptr) return std::nullopt;
  if (known->hot_path == "register") return Carriage::lent_copy;
  return known->hot_path == "kernel" ? Carriage::lent_kernel : Carriage::slab_copy;
}

std::optional<RowWay> Costs::row_way(const DeviceInfo& device, const RowTraffic& traffic) const {
  return model_ ? quickest_row_way(*model_, device, traffic) : std::nullopt;
}

Finding Costs::finding() const {
  using Level = Finding::Level;
  constexpr std::string_view kSubject = "cost model";
  if (model_.has_value()) {
    return {Level::ok, std::string(kSubject),
            fmt::format("measured at {}{}: inline reads up to {}, copies past the caches from {} on; {}",
                        model_->measured_at, model_->quick ? " (quick)" : "", shown_size(thresholds_.inline_bytes_max),
                        shown_size(thresholds_.streamed_copy_bytes_min), path_),
            ""};
  }
  if (model_.error().code() == Code::not_found) {
    const std::string why = path_.empty() ? std::string(model_.error().message()) : "not measured yet";
    return {Level::note, std::string(kSubject), "built-in defaults decide: " + why,
            path_.empty() ? "" : std::string(kCalibrate)};
  }
  return {Level::warning, std::string(kSubject), "built-in defaults decide: " + model_.error().to_string(),
          std::string(kCalibrate)};
}

}  // namespace core
}  // namespace gpuio
