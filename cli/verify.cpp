// SPDX-License-Identifier: Apache-2.0
#include "cli/verify.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <span>
#include <vector>

#include "cli/local_file.h"
#include "cli/workers.h"

namespace gpuio::cli {
namespace {

constexpr std::uint64_t kChunkBytes = 8ULL << 20;
constexpr unsigned kWorkersMax = 8;

struct Chunk {
  std::size_t piece;
  std::uint64_t file_offset;
  std::uint64_t memory_offset;
  std::uint64_t length;
};

std::vector<Chunk> cut(const LoadBatch& batch) {
  std::vector<Chunk> chunks;
  for (const Placement& placement : batch.placements) {
    for (std::uint64_t at = 0; at < placement.extent.length; at += kChunkBytes) {
      chunks.push_back({.piece = placement.piece,
                        .file_offset = placement.extent.offset + at,
                        .memory_offset = placement.memory_offset + at,
                        .length = std::min(kChunkBytes, placement.extent.length - at)});
    }
  }
  return chunks;
}

/// The first difference in the order of the chunks, whichever thread meets it.
class FirstDifference {
 public:
  void report(std::size_t chunk, Difference difference) {
    const std::lock_guard lock(mutex_);
    if (chunk >= chunk_) return;
    chunk_ = chunk;
    difference_ = std::move(difference);
    found_.store(true, std::memory_order_relaxed);
  }
  [[nodiscard]] bool found() const noexcept { return found_.load(std::memory_order_relaxed); }
  std::optional<Difference> take() { return std::move(difference_); }

 private:
  std::mutex mutex_;
  std::atomic<bool> found_{false};
  std::size_t chunk_ = ~std::size_t{0};
  std::optional<Difference> difference_;
};

/// One thread's open file: chunks of one file come one after the other.
class FileCursor {
 public:
  explicit FileCursor(const Source& source) : source_(source) {}

  const LocalFile& file_of(std::size_t piece) {
    const std::size_t file = source_.pieces[piece].file;
    if (!open_ || file != index_) {
      open_.emplace(source_.files[file].path);
      index_ = file;
    }
    return *open_;
  }

 private:
  const Source& source_;
  std::optional<LocalFile> open_;
  std::size_t index_ = 0;
};

}  // namespace

std::optional<Difference> verify(const Context& context, const Device& device, const Source& source,
                                 const LoadBatch& batch, const Slice& memory, const Interrupt& interrupt,
                                 const std::function<void(std::uint64_t)>& tick) {
  const std::vector<Chunk> chunks = cut(batch);
  std::atomic<std::size_t> next{0};
  std::atomic<std::uint64_t> compared_bytes{0};
  FirstDifference first;

  const auto work = [&](unsigned) {
    const Buffer loaded = allocate_staging(context, device, kChunkBytes);
    std::vector<std::byte> expected(kChunkBytes);
    FileCursor cursor(source);
    // Chunks are handed out in order, so those before a difference are all looked at.
    while (!first.found() && !interrupt.raised()) {
      const std::size_t index = next.fetch_add(1);
      if (index >= chunks.size()) return;
      const Chunk& chunk = chunks[index];
      const Request back =
          context.copy(memory.slice(chunk.memory_offset, chunk.length).value(), loaded.slice(0, chunk.length).value())
              .value();
      const std::span<std::byte> want = std::span(expected).first(chunk.length);
      cursor.file_of(chunk.piece).read(want, chunk.file_offset);
      throw_if_failed(back.wait());
      const std::span<const std::byte> have(loaded.data(), chunk.length);
      if (std::memcmp(want.data(), have.data(), chunk.length) != 0) {
        const auto at = static_cast<std::size_t>(std::ranges::mismatch(want, have).in1 - want.begin());
        const Piece& piece = source.pieces[chunk.piece];
        first.report(index, {.path = source.files[piece.file].path,
                             .tensor = piece.tensor,
                             .offset = chunk.file_offset + at,
                             .expected = std::to_integer<unsigned>(want[at]),
                             .found = std::to_integer<unsigned>(have[at])});
      }
      compared_bytes.fetch_add(chunk.length);
    }
  };
  const auto workers = static_cast<unsigned>(std::min<std::size_t>(worker_count(kWorkersMax), chunks.size()));
  run_workers(workers, work, [&] { tick(compared_bytes.load()); });
  interrupt.check();
  tick(compared_bytes.load());
  return first.take();
}

Buffer allocate_staging(const Context& context, const Device& device, std::uint64_t size_bytes) {
  if (auto pinned = device.allocate(size_bytes, {.kind = RegionKind::pinned})) return *std::move(pinned);
  return context.device("host").value().allocate(size_bytes).value();
}

}  // namespace gpuio::cli
