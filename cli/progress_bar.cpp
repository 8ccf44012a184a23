// SPDX-License-Identifier: Apache-2.0
#include "cli/progress_bar.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/core.h>

#include "cli/units.h"

namespace gpuio::cli {
namespace {

constexpr double kRateWindowSeconds = 1.0;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string bar(double fraction, std::size_t cells, bool unicode) {
  const auto full = static_cast<std::size_t>(std::floor(fraction * static_cast<double>(cells)));
  std::string text;
  if (!unicode) return text.append("[").append(full, '#').append(cells - full, '.').append("]");
  for (std::size_t i = 0; i < cells; ++i) text += i < full ? "\u2501" : "\u2500";
  return text;
}

}  // namespace

void RateMeter::add(double seconds, std::uint64_t done_bytes) {
  samples_.push_back({seconds, done_bytes});
  // The newest sample that is a whole window old stays, so that the span never falls below the window.
  while (samples_.size() > 2 && seconds - samples_[1].seconds >= kRateWindowSeconds) samples_.pop_front();
}

double RateMeter::bytes_per_second() const noexcept {
  if (samples_.size() < 2) return 0;
  const double span = samples_.back().seconds - samples_.front().seconds;
  const std::uint64_t from = samples_.front().done_bytes;
  const std::uint64_t to = samples_.back().done_bytes;
  return span > 0 && to > from ? static_cast<double>(to - from) / span : 0;
}

std::string render_bar(const BarView& view) {
  const double fraction =
      view.total_bytes == 0
          ? 0
          : std::min(1.0, static_cast<double>(view.done_bytes) / static_cast<double>(view.total_bytes));
  const std::uint64_t left_bytes = view.total_bytes - std::min(view.done_bytes, view.total_bytes);
  // Rounded down: 100 % means all of it.
  const std::string percent = fmt::format("{:3.0f} %", std::floor(fraction * 100));
  const std::string size = fmt::format("{} of {}", format_size(view.done_bytes), format_size(view.total_bytes));
  const std::string left = view.bytes_per_second > 0
                               ? format_clock(static_cast<double>(left_bytes) / view.bytes_per_second)
                               : format_clock(-1);
  const std::string time = view.finished ? format_seconds(view.elapsed_seconds) : left + " left";

  // Fields in the order in which they are given up when the line is too narrow, the last first.
  const std::vector<std::string> fields = view.unit == BarUnit::bytes
                                              ? std::vector{percent, format_rate(view.bytes_per_second), time, size}
                                              : std::vector{percent, time};
  const std::size_t width = std::max(view.width, 2U) - 1;
  constexpr std::size_t kBarCellsMin = 10;
  constexpr std::size_t kBarCellsMax = 40;
  for (std::size_t kept = fields.size(); kept > 0; --kept) {
    std::string tail;
    for (std::size_t i = 0; i < kept; ++i) tail.append("  ").append(fields[i]);
    const std::size_t used = display_width(view.label) + display_width(tail) + (view.unicode ? 1 : 3);
    if (used + kBarCellsMin > width) continue;
    const std::size_t cells = std::min(width - used, kBarCellsMax);
    return std::string(view.label) + ' ' + bar(fraction, cells, view.unicode) + tail;
  }
  return percent.substr(0, width);
}

ProgressBar::ProgressBar(const Terminal& terminal, bool wanted, std::string label, std::uint64_t total_bytes,
                         BarUnit unit)
    : terminal_(terminal),
      shown_(wanted && terminal.interactive()),
      label_(std::move(label)),
      total_bytes_(total_bytes),
      unit_(unit) {
  update(0);
}

ProgressBar::~ProgressBar() {
  if (shown_) terminal_.write("\r\x1b[K");
}

void ProgressBar::update(std::uint64_t done_bytes) {
  done_bytes_ = done_bytes;
  meter_.add(seconds_since(start_), done_bytes);
  draw(false);
}

void ProgressBar::update(std::string label, std::uint64_t done_bytes) {
  label_ = std::move(label);
  update(done_bytes);
}

void ProgressBar::finish() {
  draw(true);
  shown_ = false;
}

void ProgressBar::draw(bool finished) {
  if (!shown_) return;
  const double elapsed = seconds_since(start_);
  const double average = elapsed > 0 ? static_cast<double>(done_bytes_) / elapsed : 0;
  const std::string line = render_bar({.label = label_,
                                       .done_bytes = done_bytes_,
                                       .total_bytes = total_bytes_,
                                       .bytes_per_second = finished ? average : meter_.bytes_per_second(),
                                       .elapsed_seconds = elapsed,
                                       .finished = finished,
                                       .unicode = terminal_.unicode(),
                                       .width = terminal_.width(),
                                       .unit = unit_});
  terminal_.write(
      fmt::format("\r{}\x1b[K{}", terminal_.paint(line, finished ? Style::plain : Style::cyan), finished ? "\n" : ""));
}

}  // namespace gpuio::cli
