// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "gpuio/status.hpp"

/// Logs `message` (anything a std::string can be made of) for `component` at `level` (a LogLevel's name):
/// `GPUIO_LOG(warn, "local", "no io_uring here: " + status.to_string())`.
///
/// The message is made only if it is written, and each call site writes at most so many a second: what it could not say
/// is counted, and the count written with its next message. A line below the level costs one relaxed load. Even so, the
/// data path does not log.
#define GPUIO_LOG(level, component, message)                                                    \
  do {                                                                                          \
    static constinit ::gpuio::base::LogSite gpuio_log_site_;                                    \
    ::gpuio::base::Logger& gpuio_logger_ = ::gpuio::base::Logger::process();                    \
    if (gpuio_logger_.admits(gpuio_log_site_, ::gpuio::base::LogLevel::level, component)) {     \
      gpuio_logger_.write(gpuio_log_site_, ::gpuio::base::LogLevel::level, component, message); \
    }                                                                                           \
  } while (false)

namespace gpuio::base {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };

std::string_view to_string(LogLevel level) noexcept;

/// Where lines go. `write` may be called from any thread, also from several at once; no lock of ours is held.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void write(LogLevel level, std::string_view component, std::string_view message) = 0;
};

/// What a call site remembers: how much it wrote in this second. The Logger's, under its lock.
class LogSite {
 private:
  friend class Logger;
  std::uint64_t window_start_ns_ = 0;
  std::uint32_t written_ = 0;
  std::uint64_t suppressed_ = 0;
};

/// Decides what is written and hands it to a sink: standard error until told otherwise. Starts at level `warn`.
/// Thread safety: all members, any thread.
class Logger {
 public:
  static constexpr std::uint32_t kRatePerSecondDefault = 10;

  /// `clock` measures the seconds of the rate limit and must outlive the logger.
  explicit Logger(const Clock& clock);
  ~Logger();
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  /// The process's logger; never destroyed, so destructors of statics may log.
  static Logger& process() noexcept;

  /// A level for all, then levels of components: "info,local=debug,cuda=off".
  /// Fails with `invalid_argument` (names the item) and changes nothing.
  [[nodiscard]] static Status check_levels(std::string_view levels);
  [[nodiscard]] Status set_levels(std::string_view levels);

  /// Lines per call site and second; 0: no limit.
  void set_rate(std::uint32_t per_second);

  /// Null: standard error.
  void set_sink(std::shared_ptr<LogSink> sink);

  /// Whether a line of this site would be written now; counts it as written or suppressed.
  [[nodiscard]] bool admits(LogSite& site, LogLevel level, std::string_view component) {
    return level >= lowest_level_.load(std::memory_order_relaxed) && admits_slowly(site, level, component);
  }

  void write(LogSite& site, LogLevel level, std::string_view component, const std::string& message);

 private:
  struct State;
  bool admits_slowly(LogSite& site, LogLevel level, std::string_view component);

  std::atomic<LogLevel> lowest_level_{LogLevel::warn};  ///< Of all components.
  std::unique_ptr<State> state_;
};

}  // namespace gpuio::base
