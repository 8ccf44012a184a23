// SPDX-License-Identifier: Apache-2.0
#include "engine/local/pool_mover.h"

#include <algorithm>

namespace gpuio::local {
namespace {

// A pool task may not sleep; whatever refuses this often in a row is reported.
constexpr std::uint32_t kAttemptsMax = 1000;

// More threads in one run cost CPU time and gain nothing: eight reach the rate of the link (measured on 16 cores).
constexpr std::uint32_t kTasksUseful = 8;

}  // namespace

PoolMover::PoolJob::PoolJob(PoolMover& mover) {
  tasks.reserve(mover.tasks_max_);
  for (std::size_t i = 0; i < mover.tasks_max_; ++i) tasks.emplace_back(mover, *this);
}

PoolMover::PoolMover(spi::Executor& executor, spi::FileSystem& files, const Options& options)
    : executor_(executor),
      files_(files),
      tasks_max_(std::clamp(executor.workers(), 1U, options.tasks_max == 0 ? kTasksUseful : options.tasks_max)),
      batches_(options.batches) {}

std::size_t PoolMover::tasks_for(const spi::Run& run, const StoreFile& file) const {
  // A file's writers exclude each other in the kernel: a second one would only spin. Not so in memory, see
  // MemoryWriter.
  if (run.kind == spi::RunKind::write && !file.attributes().is_memory) return 1;
  std::uint64_t bytes = 0;
  for (const spi::Segment& segment : run.segments) bytes += segment.bytes;
  const std::uint64_t groups = std::max<std::uint64_t>(run.segments.size() / kGroupPieces, bytes / kChunkBytes);
  return std::clamp<std::size_t>(groups, 1, tasks_max_);
}

void PoolMover::start(spi::Run& run, StoreFile& file) {
  PoolJob& job = jobs_.take(*this);
  job.begin(run, file);
  const std::size_t count = tasks_for(run, file);
  job.hold(static_cast<std::uint32_t>(count));
  // The job may be over and taken again before the loop ends, but not before its last task was posted.
  for (std::size_t i = 0; i < count; ++i) executor_.post(job.tasks[i]);
}

bool PoolMover::claim(PoolJob& job, Group& group) {
  group.count = 0;
  group.bytes = 0;
  const std::uint64_t now_ns = job.run().deadline_ns == spi::kNever ? 0 : executor_.clock().now_ns();
  const std::lock_guard lock(job.cursor_mutex);
  PieceCursor& cursor = job.cursor();
  if (job.stop_asked(now_ns)) job.drop_rest(job.stopped(now_ns));
  while (!cursor.at_end() && group.count < kGroupPieces && group.bytes < kChunkBytes) {
    group.pieces[group.count] = cursor.take(kChunkBytes);
    group.bytes += group.pieces[group.count].bytes;
    ++group.count;
  }
  return group.count != 0;
}

void PoolMover::work(PoolJob& job, MoveTask& task) {
  Group group;
  std::uint64_t moved = 0;
  while (claim(job, group)) {
    move(job, group);
    moved += group.bytes;
    if (moved >= kTurnBytes) return executor_.post(task);
  }
  if (!job.let_go()) return;
  spi::Run& run = job.end();
  jobs_.give(job);
  run.finish();
}

void PoolMover::move(PoolJob& job, Group& group) {
  const std::span<Piece> pieces = std::span(group.pieces).first(group.count);
  if (!batches_ || group.count == 1 || job.run().kind == spi::RunKind::write) {
    for (Piece& piece : pieces) finish(job, piece, attempt(job, piece));
    return;
  }
  std::array<spi::ReadPart, kGroupPieces> parts;
  for (std::size_t i = 0; i < group.count; ++i) parts[i] = {pieces[i].offset, pieces[i].rest(), 0};
  files_.read_many(job.file().buffered(), std::span(parts).first(group.count));
  for (std::size_t i = 0; i < group.count; ++i) finish(job, pieces[i], parts[i].result);
}

std::int64_t PoolMover::attempt(const PoolJob& job, const Piece& piece) {
  const StoreFile& file = job.file();
  if (job.run().kind != spi::RunKind::write) {
    return files_.read(file.buffered(), piece.next_offset(), piece.rest(), false);
  }
  return file.attributes().is_memory ? files_.write_together(file.buffered(), piece.next_offset(), piece.rest())
                                     : files_.write(file.buffered(), piece.next_offset(), piece.rest());
}

void PoolMover::finish(PoolJob& job, Piece& piece, std::int64_t result) {
  const bool writing = job.run().kind == spi::RunKind::write;
  for (;; result = attempt(job, piece)) {
    switch (const Step step = advance(piece, job.run().kind, result, 1)) {
      case Step::done:
        if (writing) job.file().grow_to(piece.offset + piece.bytes);
        return;
      case Step::again:
        job.count_short();
        break;
      case Step::interrupted:
      case Step::later:
        job.count_retry();
        if (++piece.attempts < kAttemptsMax) break;
        [[fallthrough]];
      case Step::end_of_file:
      case Step::failed:
        return job.fail(piece.segment, describe_failure(job, piece, step, result, "page cache"));
    }
  }
}

}  // namespace gpuio::local
