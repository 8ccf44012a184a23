// SPDX-License-Identifier: Apache-2.0
#include "core/memory/memory_mover.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "core/copy/host_copy.h"

namespace gpuio::core {
namespace {

/// Small enough that several threads share a slab, large enough that handing it over does not show.
constexpr std::uint32_t kTaskBytes = 1U << 20U;

/// A part of one segment.
struct Part {
  std::uint64_t offset = 0;
  std::byte* memory = nullptr;
  std::size_t bytes = 0;
};

void move(spi::RunKind kind, const Part& part, const MemoryTarget& target) {
  std::byte* const outside = target.address(part.offset, part.bytes);
  if (outside == nullptr) return;
  if (kind == spi::RunKind::read) {
    target.before_load(outside, part.bytes);
    host_copy(part.memory, outside, part.bytes);
  } else {
    host_copy(outside, part.memory, part.bytes);
    target.after_store(outside, part.bytes);
  }
}

struct RunCopies;

/// About kTaskBytes of parts that follow each other.
struct CopyTask final : spi::Task {
  void run() override;

  RunCopies* owner = nullptr;
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// The tasks of one run; frees itself with the last of them.
struct RunCopies {
  void add(const spi::Segment& segment);
  void end();

  spi::Run* run = nullptr;
  std::shared_ptr<const MemoryTarget> target;
  std::vector<Part> parts;
  std::vector<CopyTask> tasks;
  std::size_t task_bytes = kTaskBytes;  ///< Of the last task; full at first, so that the first part opens one.
  std::atomic<std::size_t> left{0};
};

void RunCopies::add(const spi::Segment& segment) {
  for (std::uint32_t done = 0; done < segment.bytes;) {
    if (task_bytes >= kTaskBytes) {
      CopyTask& task = tasks.emplace_back();
      task.owner = this;
      task.begin = task.end = parts.size();
      task_bytes = 0;
    }
    const std::size_t bytes = std::min<std::size_t>(kTaskBytes - task_bytes, segment.bytes - done);
    parts.push_back({segment.offset + done, segment.memory + done, bytes});
    done += static_cast<std::uint32_t>(bytes);
    task_bytes += bytes;
    tasks.back().end = parts.size();
  }
}

void RunCopies::end() {
  const std::unique_ptr<RunCopies> last(this);
  const auto end_of = [](const spi::Segment& segment) { return segment.offset + segment.bytes; };
  std::uint64_t end = 0;
  for (const spi::Segment& segment : run->segments) end = std::max(end, end_of(segment));
  if (!target->check(end).ok()) {
    for (std::uint32_t i = 0; i < run->segments.size(); ++i) {
      Status status = target->check(end_of(run->segments[i]));
      if (!status.ok()) run->failures.push_back({i, std::move(status)});
    }
  }
  run->finish();
}

void CopyTask::run() {
  for (std::size_t i = begin; i < end; ++i) move(owner->run->kind, owner->parts[i], *owner->target);
  if (owner->left.fetch_sub(1, std::memory_order_acq_rel) == 1) owner->end();
}

}  // namespace

void MemoryMover::start(spi::Run& run, std::shared_ptr<const MemoryTarget> target) const {
  auto copies = std::make_unique<RunCopies>();
  copies->run = &run;
  copies->target = std::move(target);
  for (const spi::Segment& segment : run.segments) copies->add(segment);
  const std::size_t count = copies->tasks.size();
  copies->left = count;
  RunCopies* const owner = copies.release();  // may be gone once the last task is posted
  if (count == 0) return owner->end();
  CopyTask* const tasks = owner->tasks.data();
  for (std::size_t i = 0; i < count; ++i) executor_.post(tasks[i]);
}

Status MemoryMover::move_now(spi::RunKind kind, const spi::Segment& segment, const MemoryTarget& target) {
  move(kind, {segment.offset, segment.memory, segment.bytes}, target);
  return target.check(segment.offset + segment.bytes);
}

}  // namespace gpuio::core
