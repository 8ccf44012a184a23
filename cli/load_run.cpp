// SPDX-License-Identifier: Apache-2.0
#include "cli/load_run.h"

#include <algorithm>
#include <chrono>

#include "cli/await.h"
#include "cli/batch_plan.h"
#include "cli/progress_bar.h"
#include "cli/workers.h"

namespace gpuio::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

CacheUse cache_use(const std::string& word) {
  return word == "cached" ? CacheUse::cached : word == "direct" ? CacheUse::direct : CacheUse::automatic;
}

/// What of the device's memory may be taken. On the host less than half: the files' own pages should stay in memory.
std::uint64_t memory_budget(const Device& device, std::uint64_t asked_bytes) {
  if (asked_bytes > 0) return asked_bytes;
  const auto free_bytes = static_cast<double>(device.memory_use().value().free_bytes);
  return static_cast<std::uint64_t>(free_bytes * (device.name() == "host" ? 0.4 : 0.95));
}

/// Memory for the largest batch; asks for less and less where the free memory is in pieces.
Buffer allocate_memory(const Device& device, const Source& source, std::uint64_t budget_bytes,
                       std::vector<LoadBatch>& batches) {
  constexpr std::uint64_t kLeastBytes = 1ULL << 20;
  while (true) {
    batches = plan_batches(source.pieces, std::max(budget_bytes, kPieceAlignment));
    const std::uint64_t size = std::ranges::max(batches, {}, &LoadBatch::memory_bytes).memory_bytes;
    auto memory = device.allocate(size);
    const bool try_smaller = !memory && memory.error().code() == Code::out_of_memory && size > kLeastBytes;
    if (!try_smaller) return std::move(memory).value();
    budget_bytes = size / 2;
  }
}

/// First touch of fresh memory costs more than filling it; it belongs to the allocation, not to the load.
void touch(const Buffer& memory) {
  if (!memory.can(Ability::host_load_store)) return;
  constexpr std::uint64_t kPageBytes = 4096;
  const unsigned workers = worker_count(16);
  run_workers(workers, [&](unsigned worker) {
    const std::uint64_t end = memory.size() / workers * (worker + 1);
    for (std::uint64_t at = memory.size() / workers * worker; at < end; at += kPageBytes)
      memory.data()[at] = std::byte{0};
  });
}

std::vector<Transfer> transfers_of(const Source& source, const LoadBatch& batch, const Buffer& memory) {
  std::vector<Transfer> transfers;
  transfers.reserve(batch.placements.size());
  for (const Placement& placement : batch.placements) {
    transfers.push_back({.store = source.files[source.pieces[placement.piece].file].store,
                         .extents = Layout::contiguous(placement.extent.offset, placement.extent.length),
                         .memory = memory.slice(placement.memory_offset, placement.extent.length).value(),
                         .placement = {}});
  }
  return transfers;
}

void add_paths(std::vector<PathUse>& sum, const std::vector<PathUse>& paths) {
  for (const PathUse& use : paths) {
    const auto same = [&](const PathUse& other) { return other.path == use.path && other.reason == use.reason; };
    const auto found = std::ranges::find_if(sum, same);
    if (found == sum.end()) {
      sum.push_back(use);
    } else {
      found->bytes += use.bytes;
    }
  }
}

/// One load command under way: what it reads, where to, and the report that it fills.
class Loader {
 public:
  Loader(const Shell& shell, const LoadOptions& options)
      : shell_(shell),
        options_(options),
        context_(options.context.open()),
        device_(context_.device(options.device).value()),
        source_(open_source(context_, options.paths)) {
    memory_ = allocate_memory(device_, source_, memory_budget(device_, options.memory_bytes), batches_);
    touch(memory_);
    report_.device = device_.info();
    report_.files = source_.files.size();
    report_.tensors = source_.tensors;
    report_.empty_files = source_.empty_files;
    report_.batches = batches_.size();
    report_.bytes = source_.bytes;
    report_.resident_bytes = source_.resident_bytes();
    report_.past_cache = cache_use(options.cache) == CacheUse::direct;
  }

  LoadReport run() {
    for (unsigned i = 0; i < options_.repeat && !report_.difference; ++i) {
      if (i > 0) restore_cache_state();
      run_once();
    }
    if (options_.compare && !report_.difference) compare();
    restore_cache_state();
    return std::move(report_);
  }

 private:
  /// Only a load that found most of its bytes on disk leaves them there: eviction takes pages that were there before,
  /// too.
  void restore_cache_state() const {
    if (report_.resident_bytes < report_.bytes / 2) source_.evict();
  }

  void run_once() {
    double seconds = 0;
    std::uint64_t done_bytes = 0;
    report_.paths.clear();
    for (const LoadBatch& batch : batches_) {
      seconds += load(batch, done_bytes);
      done_bytes += batch.bytes;
      if (options_.verify && !report_.difference) verify_batch(batch);
    }
    report_.run_seconds.push_back(seconds);
  }

  /// Seconds from the submission of one batch to its last byte in place.
  double load(const LoadBatch& batch, std::uint64_t done_bytes) {
    TransferOptions transfer;
    transfer.cache = cache_use(options_.cache);
    const std::vector<Transfer> transfers = transfers_of(source_, batch, memory_);
    ProgressBar bar(shell_.err, options_.progress, "load  ", source_.bytes);
    const auto start = SteadyClock::now();
    const Request request = context_.read(transfers, transfer).value();
    await(request, shell_.interrupt, [&](const Progress& progress) { bar.update(done_bytes + progress.done_bytes); });
    const double seconds = seconds_since(start);
    bar.finish();
    add_paths(report_.paths, request.paths());
    return seconds;
  }

  void verify_batch(const LoadBatch& batch) {
    ProgressBar bar(shell_.err, options_.progress, "verify", batch.bytes);
    const auto start = SteadyClock::now();
    report_.difference = verify(context_, device_, source_, batch, memory_, shell_.interrupt,
                                [&](std::uint64_t bytes) { bar.update(bytes); });
    bar.finish();
    Measured& sum = report_.verified ? *report_.verified : report_.verified.emplace();
    sum.bytes += batch.bytes;
    sum.seconds += seconds_since(start);
  }

  void compare() {
    constexpr double kLoopSecondsMax = 10;
    restore_cache_state();
    {
      ProgressBar bar(shell_.err, options_.progress, "read()", batches_.front().bytes);
      report_.loop = read_loop(context_, device_, source_, batches_.front(), memory_, kLoopSecondsMax, shell_.interrupt,
                               [&](std::uint64_t bytes) { bar.update(bytes); });
    }
    restore_cache_state();
    if (report_.disk_bytes() > 0) report_.disk_rate = measure_disk_rate(source_, shell_.interrupt);
    report_.copy_rate = measure_copy_rate(context_, device_, memory_, shell_.interrupt);
  }

  const Shell& shell_;
  const LoadOptions& options_;
  Context context_;
  Device device_;
  Source source_;
  std::vector<LoadBatch> batches_;
  Buffer memory_;
  LoadReport report_;
};

}  // namespace

double LoadReport::median_seconds() const {
  std::vector<double> sorted = run_seconds;
  std::ranges::sort(sorted);
  const std::size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

std::uint64_t LoadReport::disk_bytes() const noexcept {
  return past_cache ? bytes : bytes - std::min(bytes, resident_bytes);
}

LoadReport run_load(const Shell& shell, const LoadOptions& options) { return Loader(shell, options).run(); }

}  // namespace gpuio::cli
