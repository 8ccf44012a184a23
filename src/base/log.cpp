// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"
#include "base/try.h"

namespace gpuio::base {
namespace {

constexpr std::uint64_t kWindowNs = 1'000'000'000;
constexpr std::array<std::string_view, 6> kLevelNames = {"trace", "debug", "info", "warn", "error", "off"};

constexpr std::string_view kComponentLetters = "abcdefghijklmnopqrstuvwxyz0123456789_/";

class StandardErrorSink final : public LogSink {
 public:
  StandardErrorSink() {
    logger_.set_pattern("%Y-%m-%dT%H:%M:%S.%e gpuio %l %v");
    logger_.set_level(spdlog::level::trace);
  }

  void write(LogLevel level, std::string_view component, std::string_view message) override {
    static constexpr std::array<spdlog::level::level_enum, 6> kLevels = {spdlog::level::trace, spdlog::level::debug,
                                                                         spdlog::level::info,  spdlog::level::warn,
                                                                         spdlog::level::err,   spdlog::level::off};
    logger_.log(kLevels.at(static_cast<std::size_t>(level)), "{}: {}", component, message);
  }

 private:
  spdlog::logger logger_{"gpuio", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
};

struct ComponentLevel {
  std::string component;
  LogLevel level;
};

struct Levels {
  LogLevel fallback = LogLevel::warn;
  std::vector<ComponentLevel> components;

  [[nodiscard]] LogLevel of(std::string_view component) const noexcept {
    const auto found = std::ranges::find(components, component, &ComponentLevel::component);
    return found == components.end() ? fallback : found->level;
  }

  [[nodiscard]] LogLevel lowest() const noexcept {
    LogLevel lowest = fallback;
    for (const ComponentLevel& entry : components) lowest = std::min(lowest, entry.level);
    return lowest;
  }
};

Result<LogLevel> parse_level(std::string_view name) {
  const auto found = std::ranges::find(kLevelNames, name);
  if (found != kLevelNames.end()) return static_cast<LogLevel>(found - kLevelNames.begin());
  std::string message = "no such log level: '";
  message.append(name).append("'; there are trace, debug, info, warn, error, off");
  return Status(Code::invalid_argument, std::move(message));
}

Result<Levels> parse_levels(std::string_view text) {
  Levels levels;
  for (const std::string_view item : split(text, ',')) {
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      GPUIO_ASSIGN(levels.fallback, parse_level(trim(item)));
      continue;
    }
    const std::string_view component = trim(item.substr(0, equals));
    if (component.empty() || component.find_first_not_of(kComponentLetters) != std::string_view::npos) {
      return Status(Code::invalid_argument, "no component has this name: '" + std::string(component) + "'");
    }
    GPUIO_ASSIGN(const LogLevel level, parse_level(trim(item.substr(equals + 1))));
    levels.components.push_back({std::string(component), level});
  }
  return levels;
}

}  // namespace

std::string_view to_string(LogLevel level) noexcept {
  const auto index = static_cast<std::size_t>(level);
  return index < kLevelNames.size() ? kLevelNames[index] : "?";
}

struct Logger::State {
  explicit State(const Clock& used_clock) : clock(used_clock) {}

  const Clock& clock;
  std::mutex mutex;  ///< Guards what follows, and the LogSites.
  Levels levels;
  std::uint32_t rate_per_second = kRatePerSecondDefault;
  std::shared_ptr<LogSink> sink;
};

Logger::Logger(const Clock& clock) : state_(std::make_unique<State>(clock)) {}
Logger::~Logger() = default;

Logger& Logger::process() noexcept {
  static const SystemClock clock;
  static auto* const logger = new Logger(clock);
  return *logger;
}

Status Logger::check_levels(std::string_view levels) { return parse_levels(levels).status(); }

Status Logger::set_levels(std::string_view levels) {
  GPUIO_ASSIGN(Levels parsed, parse_levels(levels));
  const std::lock_guard lock(state_->mutex);
  lowest_level_.store(parsed.lowest(), std::memory_order_relaxed);
  state_->levels = std::move(parsed);
  return {};
}

void Logger::set_rate(std::uint32_t per_second) {
  const std::lock_guard lock(state_->mutex);
  state_->rate_per_second = per_second;
}

void Logger::set_sink(std::shared_ptr<LogSink> sink) {
  // The old sink may be the last of its kind: let it go after the lock.
  const std::lock_guard lock(state_->mutex);
  state_->sink.swap(sink);
}

bool Logger::admits_slowly(LogSite& site, LogLevel level, std::string_view component) {
  const std::uint64_t now_ns = state_->clock.now_ns();
  const std::lock_guard lock(state_->mutex);
  if (level < state_->levels.of(component)) return false;
  if (now_ns - site.window_start_ns_ >= kWindowNs) {
    site.window_start_ns_ = now_ns;
    site.written_ = 0;
  }
  if (state_->rate_per_second != 0 && site.written_ >= state_->rate_per_second) {
    ++site.suppressed_;
    return false;
  }
  ++site.written_;
  return true;
}

void Logger::write(LogSite& site, LogLevel level, std::string_view component, const std::string& message) {
  std::shared_ptr<LogSink> sink;
  std::uint64_t suppressed = 0;
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->sink) state_->sink = std::make_shared<StandardErrorSink>();
    sink = state_->sink;
    suppressed = std::exchange(site.suppressed_, 0);
  }
  if (suppressed != 0) {
    sink->write(level, component, "suppressed " + std::to_string(suppressed) + " lines like the next");
  }
  sink->write(level, component, message);
}

}  // namespace gpuio::base
