// SPDX-License-Identifier: Apache-2.0
#include "core/request/latency_window.h"

#include <algorithm>
#include <limits>

namespace gpuio::core {
namespace {

/// Long enough for tens of runs, short enough to follow a disk whose speed changes.
constexpr std::uint64_t kEpochNs = 10'000'000;
constexpr double kNewestShare = 0.3;

/// Behind a full window every latency is one of queueing. So when high-priority traffic comes, and now and then while
/// it lasts, the window is kept at its least for so many runs.
constexpr std::uint64_t kProbeEveryNs = 10'000'000'000;
constexpr unsigned kProbeRuns = 8;

}  // namespace

void LatencyWindow::high_priority_seen(std::uint64_t now_ns) noexcept {
  if (!is_shared(now_ns)) start_probe(now_ns);
  high_seen_ = true;
  high_seen_ns_ = now_ns;
}

std::uint64_t LatencyWindow::limit_bytes(std::uint64_t now_ns) const noexcept {
  if (!is_shared(now_ns)) return options_.bytes_max;
  if (probing_ || bytes_per_ns_ <= 0) return std::min(options_.bytes_min, options_.bytes_max);
  // Little's law: what is in flight takes as long as the disk needs to complete that much. Twice the quickest, so that
  // a window too small for the disk doubles with each epoch instead of confirming itself.
  const double target_ns = static_cast<double>(std::max(options_.target_ns, 2 * quickest_ns_));
  const double bytes = std::min(bytes_per_ns_ * target_ns, static_cast<double>(options_.bytes_max));
  return std::min(std::max(static_cast<std::uint64_t>(bytes), options_.bytes_min), options_.bytes_max);
}

void LatencyWindow::completed(std::uint64_t now_ns, std::uint64_t bytes, std::uint64_t latency_ns) noexcept {
  watch_probe(now_ns, latency_ns);
  if (now_ns - last_completed_ns_ > std::max(latency_ns, kEpochNs)) {  // after a pause, which says nothing of the disk
    epoch_start_ns_ = now_ns - std::min(latency_ns, now_ns);
    epoch_bytes_ = 0;
  }
  last_completed_ns_ = now_ns;
  epoch_bytes_ += bytes;
  if (now_ns - epoch_start_ns_ >= kEpochNs) close_epoch(now_ns);
}

void LatencyWindow::start_probe(std::uint64_t now_ns) noexcept {
  probing_ = true;
  probe_start_ns_ = now_ns;
  probe_quickest_ns_ = std::numeric_limits<std::uint64_t>::max();
  probe_runs_ = 0;
}

void LatencyWindow::watch_probe(std::uint64_t now_ns, std::uint64_t latency_ns) noexcept {
  if (!probing_) {
    if (is_shared(now_ns) && now_ns - probe_start_ns_ > kProbeEveryNs) start_probe(now_ns);
    return;
  }
  if (now_ns - probe_start_ns_ <= latency_ns) return;  // started before, in a full queue
  probe_quickest_ns_ = std::min(probe_quickest_ns_, latency_ns);
  if (++probe_runs_ < kProbeRuns) return;
  quickest_ns_ = probe_quickest_ns_;
  probing_ = false;
}

void LatencyWindow::close_epoch(std::uint64_t now_ns) noexcept {
  const double rate = static_cast<double>(epoch_bytes_) / static_cast<double>(now_ns - epoch_start_ns_);
  if (bytes_per_ns_ <= 0) {
    bytes_per_ns_ = rate;
  } else if (!probing_) {
    bytes_per_ns_ += kNewestShare * (rate - bytes_per_ns_);
  }
  epoch_start_ns_ = now_ns;
  epoch_bytes_ = 0;
}

}  // namespace gpuio::core
