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

/// Asking where the pages are takes as long as copying some hundred kilobytes.
constexpr std::uint64_t kSharedOutBytesMin = 2U << 20U;

}  // namespace

void CopyCrew::start(const CopySpan& span, spi::Run& run, spi::Executor& executor) {
  run_ = &run;
  executor_ = &executor;
  {
    const std::lock_guard lock(mutex_);
    moved_bytes_ = 0;
    given_up_ = false;
  }
  if (!executor.worker_nodes().empty() && span.bytes >= kSharedOutBytesMin) {
    // Here and not by a worker, which would be awake and take far parts before near ones have been called.
    share_out(span, executor.worker_nodes(), system_, shares_);
  } else {
    shares_.resize(1);
    shares_.front().reset(CopyShare::kAnywhere, executor.workers());
    shares_.front().add(span);
  }
  post_members();
}

void CopyCrew::post_members() {
  members_.clear();
  for (std::size_t i = 0; i < shares_.size(); ++i) {
    const std::uint64_t bytes = shares_[i].left_bytes();
    if (bytes == 0) continue;
    const auto parts = std::max<std::uint64_t>(1, bytes / kPartBytesMin);
    members_.resize(members_.size() + std::clamp<std::uint64_t>(shares_[i].workers(), 1, parts), Member(*this, i));
  }
  const std::size_t posted = members_.size();
  left_.store(posted, std::memory_order_relaxed);
  // The last task to end gives the run away, and this with it: nothing of it is touched after the last post.
  Member* const members = members_.data();
  for (std::size_t i = 0; i < posted; ++i) post(members[i]);
}

void CopyCrew::post(Member& member) {
  const int node = shares_[member.home].node();
  node == CopyShare::kAnywhere ? executor_->post(member) : executor_->post_near(member, node);
}

void CopyCrew::give_up() noexcept {
  const std::lock_guard lock(mutex_);
  given_up_ = true;
}

std::optional<CopySpan> CopyCrew::take(std::size_t home) noexcept {
  const std::lock_guard lock(mutex_);
  CopyShare* share = &shares_[home];
  if (share->left_bytes() == 0) share = &*std::ranges::max_element(shares_, {}, &CopyShare::left_bytes);
  if (share->left_bytes() == 0 || given_up_) return std::nullopt;
  const std::uint64_t takers = 2 * std::max<std::uint64_t>(1, share->workers());
  const std::uint64_t fair = base::align_up(share->left_bytes() / takers, kPartAlignment);
  const CopySpan part = share->take(std::clamp(fair, kPartBytesMin, kPartBytesMax));
  moved_bytes_ += part.bytes;
  return part;
}

void CopyCrew::Member::run() {
  while (const std::optional<CopySpan> part = crew->take(home)) {
    move_span(*part);
    if (crew->executor_->tasks_wait()) return crew->post(*this);
  }
  if (crew->left_.fetch_sub(1, std::memory_order_acq_rel) == 1) crew->run_->finish();
}

}  // namespace gpuio::core
