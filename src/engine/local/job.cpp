// SPDX-License-Identifier: Apache-2.0
#include "engine/local/job.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace gpuio::local {
namespace {

// More than operations are in flight: pieces of one segment end within so many failures of each other.
constexpr std::ptrdiff_t kNearby = 256;

}  // namespace

void Job::begin(spi::Run& run, StoreFile& file) {
  file_ = &file;
  cursor_ = PieceCursor(run.segments, run.kind);
  cancelled_.store(false, std::memory_order_relaxed);
  holders_.store(0, std::memory_order_relaxed);
  retries_.store(0, std::memory_order_relaxed);
  short_transfers_.store(0, std::memory_order_relaxed);
  run_.store(&run, std::memory_order_release);
  run.engine_data = this;
}

Status Job::stopped(std::uint64_t now_ns) const {
  if (cancelled_.load(std::memory_order_relaxed)) {
    return Status(Code::cancelled, "cancelled before it was moved").with("store", file_->path());
  }
  if (now_ns >= run().deadline_ns) {
    return Status(Code::deadline_exceeded, "not moved by the deadline").with("store", file_->path());
  }
  if (run().kind != spi::RunKind::read) return file_->healthy();
  return {};
}

void Job::drop_rest(const Status& reason) {
  const std::size_t count = run().segments.size();
  for (std::size_t segment = cursor_.segment(); segment < count; ++segment) {
    fail(static_cast<std::uint32_t>(segment), reason);
  }
  cursor_.end();
}

void Job::fail(std::uint32_t segment, Status status) {
  const std::lock_guard lock(failures_mutex_);
  auto& failures = run().failures;
  // Pieces of one segment may fail each for itself; they are near one another.
  const auto window = std::min<std::ptrdiff_t>(std::ssize(failures), kNearby);
  const bool known = std::any_of(failures.end() - window, failures.end(),
                                 [&](const spi::SegmentFailure& failure) { return failure.segment == segment; });
  if (!known) failures.push_back({segment, std::move(status)});
}

spi::Run& Job::end() {
  spi::Run& run = this->run();
  run.retries += retries_.load(std::memory_order_relaxed);
  run.short_transfers += short_transfers_.load(std::memory_order_relaxed);
  run_.store(nullptr, std::memory_order_release);
  return run;
}

Status describe_failure(const Job& job, const Piece& piece, Step step, std::int64_t result, std::string_view way) {
  const bool writing = job.run().kind == spi::RunKind::write;
  Status status;
  if (step == Step::end_of_file) {
    status = Status(Code::end_of_file, "the store ends before the bytes that were asked for");
  } else {
    status = Status::from_errno(result < 0 ? static_cast<int>(-result) : EIO, writing ? "write failed" : "read failed");
  }
  status.with("store", job.file().path())
      .with("offset", piece.offset)
      .with("length", step == Step::end_of_file ? piece.required : piece.bytes);
  if (step == Step::end_of_file || piece.reached != 0) status.with("got", piece.reached);
  status.with("way", way);
  if (writing) status.with_effect(piece.reached != 0 || result != -ENOSPC ? Effect::unknown : Effect::none);
  return status;
}

}  // namespace gpuio::local
