// SPDX-License-Identifier: Apache-2.0
#include "core/copy/copy_crew.h"

#include <algorithm>

#include "base/align.h"

namespace gpuio::core {
namespace {

/// Long enough that taking one does not show and that the processor's fetching ahead begins seldom; short enough that
/// tasks which wait for it begin within a fraction of a millisecond.
constexpr std::uint64_t kPartBytesMax = 4U << 20U;

/// The last ones, so that all workers end together.
constexpr std::uint64_t kPartBytesMin = 1U << 20U;

/// Where the destination begins on a page, so do all parts of it.
constexpr std::uint64_t kPartAlignment = 4096;

}  // namespace

void CopyCrew::start(const CopySpan& span, spi::Run& run, spi::Executor& executor) {
  const std::uint64_t parts = std::max<std::uint64_t>(1, span.bytes / kPartBytesMin);
  const std::size_t posted = std::clamp<std::size_t>(executor.workers(), 1, parts);
  run_ = &run;
  executor_ = &executor;
  rest_ = span;
  moved_bytes_ = 0;
  members_.assign(posted, Member(*this));
  left_.store(posted, std::memory_order_relaxed);
  // The last task to end gives the run away, and this with it: nothing of it is touched after the last post.
  Member* const members = members_.data();
  for (std::size_t i = 0; i < posted; ++i) executor.post(members[i]);
}

void CopyCrew::give_up() noexcept {
  const std::lock_guard lock(mutex_);
  rest_.reset();
}

std::optional<CopySpan> CopyCrew::take() noexcept {
  const std::lock_guard lock(mutex_);
  if (!rest_) return std::nullopt;
  const std::uint64_t fair = base::align_up(rest_->bytes / (2 * members_.size()), kPartAlignment);
  CopySpan part = *rest_;
  part.bytes = std::min(rest_->bytes, std::clamp(fair, kPartBytesMin, kPartBytesMax));
  moved_bytes_ += part.bytes;
  rest_->bytes -= part.bytes;
  if (rest_->bytes == 0) {
    rest_.reset();
  } else {
    rest_->begin.skip(part.bytes);
  }
  return part;
}

void CopyCrew::Member::run() {
  while (const std::optional<CopySpan> part = crew->take()) {
    move_span(*part);
    if (crew->executor_->tasks_wait()) return crew->executor_->post(*this);
  }
  if (crew->left_.fetch_sub(1, std::memory_order_acq_rel) == 1) crew->run_->finish();
}

}  // namespace gpuio::core
