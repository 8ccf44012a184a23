// SPDX-License-Identifier: Apache-2.0
#include "core/context_state.h"

#include <algorithm>
#include <bit>

#include "base/log.h"
#include "base/try.h"
#include "core/executor/caller_executor.h"
#include "core/executor/thread_executor.h"
#include "core/memory/memory_store.h"
#include "core/placement/numa.h"
#include "core/uri.h"

namespace gpuio::core {
namespace {

/// Windows of a file that stay registered: a registration costs the driver a fixed third of a millisecond and more.
constexpr std::uint64_t kLoanWindowBytesMin = 64ULL << 20U;

/// Resident bytes under way: enough that every worker has the next slab's part waiting.
constexpr std::uint64_t kResidentSlabsMin = 4;

/// Ranges registered for the time of one copy: long, for the fixed cost of each, and still several in the budget.
constexpr std::uint64_t kLentBytesMax = 32ULL << 20U;
constexpr std::uint64_t kLentShare = 8;

/// Slabs that are mapped and registered side by side for the first large load.
constexpr std::uint64_t kPreparedMax = 16;

constexpr std::string_view kInlineByDefault = "small and in memory: a hand-over would cost more";
constexpr std::string_view kInlineByModel = "small and in memory: by the cost model, a hand-over would cost more";

Result<std::shared_ptr<spi::Executor>> make_executor(Drive drive, base::Clock& clock, const SettingsValues& values) {
  if (drive == Drive::caller) {
    GPUIO_ASSIGN(std::shared_ptr<spi::Executor> executor, CallerExecutor::create(clock));
    return executor;
  }
  WorkPool::Options options;
  options.workers = static_cast<unsigned>(values.scheduler_workers);
  options.numa_node = static_cast<int>(values.memory_numa_node);
  if (options.numa_node < 0) options.nodes = numa::processors();
  GPUIO_ASSIGN(std::shared_ptr<spi::Executor> executor, ThreadExecutor::start(clock, options));
  return executor;
}

std::uint64_t resident_bytes_max(const SettingsValues& values, unsigned workers) {
  if (values.scheduler_resident_bytes_max != 0) return values.scheduler_resident_bytes_max;
  return values.memory_slab_bytes * std::max<std::uint64_t>(kResidentSlabsMin, workers / 2);
}

SchedulerOptions scheduler_options(const SettingsValues& values, unsigned workers,
                                   const std::shared_ptr<const Costs>& costs) {
  SchedulerOptions options;
  options.planner.costs = costs;
  options.builder.costs = costs;
  options.planner.slab_bytes = static_cast<std::uint32_t>(values.memory_slab_bytes);
  options.planner.lent_bytes_max =
      std::max(values.memory_slab_bytes, std::min(kLentBytesMax, values.memory_pinned_budget_bytes / kLentShare));
  options.admission.lent_bytes_max = kLentShare / 2 * options.planner.lent_bytes_max;
  options.planner.keep_registered = values.memory_registered_budget_bytes > 0;
  if (values.local_hot_path == "copy") options.planner.hot_path = PlannerOptions::HotPath::copy;
  if (values.local_hot_path == "register") options.planner.hot_path = PlannerOptions::HotPath::lend;
  if (values.local_hot_path == "kernel") options.planner.hot_path = PlannerOptions::HotPath::kernel;
  options.builder.coalesce_gap_bytes = values.scheduler_coalesce_gap_bytes;
  options.builder.run_bytes_max = values.memory_slab_bytes;
  options.admission.window.target_ns = values.scheduler_bulk_latency_target_ns;
  options.admission.run_bytes_max = values.memory_slab_bytes;
  options.admission.resident_bytes_max = resident_bytes_max(values, workers);
  options.admission.bandwidth_bulk = values.scheduler_bandwidth_bulk_bytes_per_second;
  options.admission.bandwidth_background = values.scheduler_bandwidth_background_bytes_per_second;
  options.admission.bandwidth_cxl = values.scheduler_bandwidth_cxl_bytes_per_second;
  options.queue_depth_max = values.scheduler_queue_depth_max;
  options.progress_interval_ns = values.request_progress_interval_ns;
  options.retry_max = static_cast<std::uint32_t>(values.scheduler_retry_max);
  options.retry_backoff_ns = values.scheduler_retry_backoff_ns;
  return options;
}

Status set_logging(const SettingsValues& values) {
  base::Logger::process().set_rate(static_cast<std::uint32_t>(values.log_rate_per_second));
  return base::Logger::process().set_levels(values.log_level);
}

/// Whoever holds `part` last also holds what it runs on.
template <class T>
std::shared_ptr<T> keep_alive(std::unique_ptr<T> part, std::shared_ptr<void> ground) {
  return std::shared_ptr<T>(part.release(), [ground = std::move(ground)](T* pointer) { delete pointer; });
}

/// The last handle may go inside a callback, on the reactor, which can't wait for itself to stop.
void destroy_context(ContextState* state) {
  if (state->executor().is_reactor_thread()) {
    std::thread([state] { delete state; }).detach();
  } else {
    delete state;
  }
}

}  // namespace

Result<Context> ContextState::create(const ContextOptions& options, Parts parts) {
  const SettingsValues& values = options.settings.values();
  GPUIO_TRY(set_logging(values));
  if (values.memory_numa_node >= 0 && !numa::exists(static_cast<int>(values.memory_numa_node))) {
    return Status(Code::invalid_argument, "memory.numa_node: there is no such node; `gpuio topology` shows them")
        .with("memory.numa_node", static_cast<std::uint64_t>(values.memory_numa_node));
  }
  auto clock = std::make_shared<base::SystemClock>();
  // Who brings an executor of his own, as the simulator does, is on no machine that anybody measured.
  const std::shared_ptr<const Costs> costs =
      parts.executor == nullptr ? Costs::load(options.settings) : std::make_shared<const Costs>();
  if (parts.executor == nullptr) {
    GPUIO_ASSIGN(std::shared_ptr<spi::Executor> made, make_executor(options.drive, *clock, values));
    parts.executor =
        std::shared_ptr<spi::Executor>(made.get(), [made, clock](spi::Executor*) mutable { made.reset(); });
  }
  std::shared_ptr<ContextState> state(new ContextState(options, parts.executor, costs), destroy_context);
  GPUIO_TRY(state->add_parts(parts));
  return Context(std::move(state));
}

ContextState::ContextState(const ContextOptions& options, std::shared_ptr<spi::Executor> executor,
                           std::shared_ptr<const Costs> costs)
    : executor_(std::move(executor)),
      settings_(options.settings),
      values_(options.settings.values()),
      costs_(std::move(costs)),
      inline_bytes_max_(costs_->inline_bytes_max(options.settings)),
      inline_reason_(costs_->decides_inline(options.settings) ? kInlineByModel : kInlineByDefault),
      budget_(std::make_shared<PinnedBudget>(values_.memory_pinned_budget_bytes)),
      slab_rings_(*budget_),
      memory_tiers_(MemoryTiers::of_system()),
      loans_(budget_, values_.memory_registered_budget_bytes,
             std::max(kLoanWindowBytesMin, std::bit_ceil(values_.memory_slab_bytes))),
      memory_store_(std::make_shared<StoreState>(make_memory_store(*executor_), nullptr, counters_.tier_id("dram"))),
      scheduler_(std::make_unique<Scheduler>(*executor_, scheduler_options(values_, executor_->workers(), costs_),
                                             loans_, counters_)) {}

ContextState::~ContextState() {
  scheduler_->drain();
  scheduler_.reset();
  loans_.clear();
  for (const auto& engine : engines_) executor_->detach(*engine);
  devices_.clear();
}

Status ContextState::add_parts(const Parts& parts) {
  const spi::EngineHost host{*executor_, values_};
  for (const auto& make : parts.engines) engines_.push_back(keep_alive(make(host), executor_));
  for (const auto& engine : engines_) executor_->attach(*engine);
  for (const auto& make : parts.devices) {
    if (auto driver = make(host)) drivers_.push_back(keep_alive(std::move(driver), executor_));
  }
  return {};
}

Result<Store> ContextState::open(std::string_view text, const OpenOptions& options) {
  GPUIO_ASSIGN(const spi::Uri uri, parse_uri(text));
  std::string schemes;
  for (const auto& engine : engines_) {
    for (std::string_view scheme : engine->schemes()) {
      schemes.append(schemes.empty() ? "" : ", ").append(scheme);
      if (scheme != uri.scheme) continue;
      GPUIO_ASSIGN(std::shared_ptr<spi::Store> store, engine->open(uri, options));
      const std::uint16_t tier = counters_.tier_id(store->tier());
      return Store(std::make_shared<StoreState>(std::move(store), engine, tier));
    }
  }
  return Status(Code::unsupported, "no engine for this scheme; there are: " + schemes).with("uri", text);
}

DeviceState* ContextState::find(const spi::Device& device) {
  const std::lock_guard lock(devices_mutex_);
  for (const auto& [name, state] : devices_) {
    if (&state->device() == &device) return state.get();
  }
  return nullptr;
}

Result<std::shared_ptr<DeviceState>> ContextState::find_or_open(const std::shared_ptr<spi::DeviceDriver>& driver,
                                                                int ordinal) {
  const std::string name = driver->name(ordinal);
  const std::lock_guard lock(devices_mutex_);
  if (auto found = devices_.find(name); found != devices_.end()) return found->second;
  GPUIO_ASSIGN(std::unique_ptr<spi::Device> opened, driver->open(ordinal));
  const std::shared_ptr<spi::Device> device = keep_alive(std::move(opened), driver);
  SlabRing::Options options;
  options.slab_bytes = static_cast<std::uint32_t>(values_.memory_slab_bytes);
  options.executor = executor_.get();
  options.numa_node = static_cast<int>(values_.memory_numa_node);
  options.prepared_max = static_cast<std::uint32_t>(std::min<std::uint64_t>(
      kPreparedMax, resident_bytes_max(values_, executor_->workers()) / values_.memory_slab_bytes));
  auto ring = std::make_unique<SlabRing>(device, slab_rings_, options, this);
  auto state = std::make_shared<DeviceState>(device, std::move(ring), counters_.device_id(name));
  GPUIO_TRY(state->start());
  devices_.emplace(name, state);
  return state;
}

Result<Device> ContextState::device(std::string_view name) {
  std::string names;
  for (const auto& driver : drivers_) {
    const bool any = name == "auto" && driver->family() != "host";
    const Result<int> count = driver->count();
    if (!count && name.starts_with(driver->family())) return count.error();
    for (int ordinal = 0; count && ordinal < *count; ++ordinal) {
      const std::string known = driver->name(ordinal);
      names.append(names.empty() ? "" : ", ").append(known);
      if (known != name && !any) continue;
      auto opened = find_or_open(driver, ordinal);
      if (opened) return Device(*std::move(opened));
      if (!any) return std::move(opened).error();
      GPUIO_LOG(info, "core", "device auto: " + known + " can't be used: " + opened.error().to_string());
    }
  }
  if (name == "auto") return device("host");
  return Status(Code::not_found, "no such device; there are: " + names).with("device", name);
}

Result<std::shared_ptr<spi::Device>> ContextState::open_device(std::string_view name) {
  GPUIO_ASSIGN(const Device device, this->device(name));
  return device.state_->pointer();
}

std::vector<std::string> ContextState::device_names() {
  std::vector<std::string> names;
  for (const auto& driver : drivers_) {
    const Result<int> count = driver->count();
    for (int ordinal = 0; count && ordinal < *count; ++ordinal) names.push_back(driver->name(ordinal));
  }
  return names;
}

Status ContextState::set(std::string_view key, std::string_view value) {
  const std::lock_guard lock(settings_mutex_);
  GPUIO_TRY(settings_.reload(key, value));
  const SettingsValues& values = settings_.values();
  scheduler_->admission().set_bandwidth_bulk(values.scheduler_bandwidth_bulk_bytes_per_second);
  scheduler_->admission().set_bandwidth_background(values.scheduler_bandwidth_background_bytes_per_second);
  scheduler_->admission().set_bandwidth_cxl(values.scheduler_bandwidth_cxl_bytes_per_second);
  executor_->wake();
  return set_logging(values);
}

Settings ContextState::settings() {
  const std::lock_guard lock(settings_mutex_);
  return settings_;
}

Statistics ContextState::statistics() {
  Statistics statistics = counters_.read();
  statistics.requests_outstanding = scheduler_->outstanding();
  statistics.runs = scheduler_->runs();
  statistics.coalesced = scheduler_->coalesced();
  statistics.quarantined_bytes = scheduler_->quarantined_bytes();
  statistics.slab_waits = scheduler_->slab_waits();
  statistics.pinned_bytes = budget_->now();
  statistics.pinned_bytes_max = budget_->max();
  statistics.registered_bytes = loans_.registered_bytes();
  return statistics;
}

std::vector<Finding> ContextState::diagnose() {
  std::vector<Finding> findings{costs_->finding()};
  for (const auto& driver : drivers_) {
    const Result<int> count = driver->count();
    const std::string family(driver->family());
    if (!count) {
      findings.push_back({Finding::Level::note, family, std::string(count.error().message()), ""});
      continue;
    }
    if (*count == 0) findings.push_back({Finding::Level::note, family, "no devices", ""});
    for (int ordinal = 0; ordinal < *count; ++ordinal) {
      auto opened = find_or_open(driver, ordinal);
      if (!opened) {
        findings.push_back({Finding::Level::problem, driver->name(ordinal), opened.error().to_string(), ""});
        continue;
      }
      append_device_findings((*opened)->device(), findings);
    }
  }
  append_topology_findings(findings);
  for (const auto& engine : engines_) {
    for (Finding& finding : engine->diagnose()) findings.push_back(std::move(finding));
  }
  return findings;
}

void ContextState::append_device_findings(const spi::Device& device, std::vector<Finding>& findings) {
  const DeviceInfo& info = device.info();
  std::string text = info.model;
  if (info.numa_node >= 0) text += ", nearest NUMA node " + std::to_string(info.numa_node);
  findings.push_back({Finding::Level::ok, info.name, text, ""});
  for (int i = 0; i <= static_cast<int>(Ability::trace_ranges); ++i) {
    const auto ability = static_cast<Ability>(i);
    const Capability can = device.capability(ability);
    const Finding::Level level = can ? Finding::Level::ok : Finding::Level::note;
    findings.push_back({level, info.name + " " + std::string(to_string(ability)), can.reason, ""});
  }
}

void ContextState::append_topology_findings(std::vector<Finding>& findings) {
  const Result<Topology> topology = read_topology();
  if (!topology) {
    findings.push_back({Finding::Level::warning, "numa", topology.error().to_string(), ""});
    return;
  }
  for (Finding& finding : topology->diagnose()) findings.push_back(std::move(finding));
}

void ContextState::slab_memory_added(std::byte* base, std::size_t bytes) {
  for (const auto& engine : engines_) engine->register_memory(base, bytes);
}

void ContextState::slab_memory_removed(std::byte* base) {
  for (const auto& engine : engines_) engine->unregister_memory(base);
}

}  // namespace gpuio::core
