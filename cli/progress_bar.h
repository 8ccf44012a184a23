// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "cli/terminal.h"

namespace gpuio::cli {

/// Bytes per second over the last second of the samples it is given; over all of them while they span less.
class RateMeter {
 public:
  /// `seconds` must not decrease from call to call.
  void add(double seconds, std::uint64_t done_bytes);
  [[nodiscard]] double bytes_per_second() const noexcept;

 private:
  struct Sample {
    double seconds;
    std::uint64_t done_bytes;
  };
  std::deque<Sample> samples_;
};

/// What a bar counts.
enum class BarUnit {
  bytes,
  shares,  ///< Of work that is not bytes: the bar says neither size nor rate.
};

/// One state of a bar.
struct BarView {
  std::string_view label;
  std::uint64_t done_bytes = 0;
  std::uint64_t total_bytes = 0;
  double bytes_per_second = 0;
  double elapsed_seconds = 0;
  bool finished = false;  ///< Shows the time it took instead of the time left.
  bool unicode = false;
  unsigned width = 80;
  BarUnit unit = BarUnit::bytes;
};

/// One line of at most `width - 1` columns; what does not fit is left out, the percentage last.
std::string render_bar(const BarView& view);

/// A bar on a terminal's last line; prints nothing where there is no terminal or nobody wants it.
///
/// Not thread-safe: the thread that waits for the work draws it.
class ProgressBar {
 public:
  ProgressBar(const Terminal& terminal, bool wanted, std::string label, std::uint64_t total_bytes,
              BarUnit unit = BarUnit::bytes);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  /// Wipes the bar unless it was finished, so that an error message starts on a clean line.
  ~ProgressBar();

  void update(std::uint64_t done_bytes);
  /// As update, of what comes next.
  void update(std::string label, std::uint64_t done_bytes);
  /// Draws the last state, which stays on the screen.
  void finish();

 private:
  void draw(bool finished);

  Terminal terminal_;
  bool shown_;
  std::string label_;
  std::uint64_t total_bytes_;
  BarUnit unit_;
  std::uint64_t done_bytes_ = 0;
  RateMeter meter_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace gpuio::cli
