// SPDX-License-Identifier: Apache-2.0
#include "cli/limits_probe.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "cli/local_file.h"
#include "cli/verify.h"
#include "cli/workers.h"

namespace gpuio::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr double kProbeSeconds = 0.5;
constexpr std::uint64_t kProbeSourceBytes = 64ULL << 20;

/// The best rate of repeated passes; a pass moves the bytes that it returns.
template <class Pass>
double best_rate(const Interrupt& interrupt, Pass pass) {
  double best = 0;
  const auto start = SteadyClock::now();
  do {
    interrupt.check();
    const auto begin = SteadyClock::now();
    const auto bytes = static_cast<double>(pass());
    best = std::max(best, bytes / seconds_since(begin));
  } while (seconds_since(start) < kProbeSeconds);
  return best;
}

double measure_memcpy_rate(const Slice& memory, const Interrupt& interrupt) {
  constexpr unsigned kWorkersMax = 16;
  const unsigned workers = worker_count(kWorkersMax);
  const std::uint64_t share = memory.size() / workers;
  if (share == 0) return 0;
  std::vector<std::byte> from(std::min(share, kProbeSourceBytes) * workers, std::byte{1});
  const std::uint64_t from_share = from.size() / workers;
  return best_rate(interrupt, [&] {
    run_workers(workers, [&](unsigned worker) {
      std::byte* to = memory.data() + worker * share;
      for (std::uint64_t at = 0; at < share; at += from_share) {
        std::memcpy(to + at, from.data() + worker * from_share, std::min(from_share, share - at));
      }
    });
    return share * workers;
  });
}

double measure_pinned_copy_rate(const Context& context, const Device& device, const Slice& memory,
                                const Interrupt& interrupt) {
  // Copies enough to hide what submitting and waiting cost, also where the destination is small.
  constexpr std::uint64_t kPassBytesMin = 1ULL << 30;
  const std::uint64_t step = std::min(kProbeSourceBytes, memory.size());
  const Buffer from = allocate_staging(context, device, step);
  const Slice whole = from.slice(0, step).value();
  return best_rate(interrupt, [&] {
    std::vector<Request> copies;
    std::uint64_t bytes = 0;
    for (std::uint64_t at = 0; bytes < kPassBytesMin; bytes += step, at += step) {
      if (at + step > memory.size()) at = 0;
      copies.push_back(context.copy(whole, memory.slice(at, step).value()).value());
    }
    for (const Request& copy : copies) throw_if_failed(copy.wait());
    return bytes;
  });
}

struct AlignedFree {
  void operator()(std::byte* memory) const { std::free(memory); }
};

}  // namespace

double measure_copy_rate(const Context& context, const Device& device, const Slice& memory,
                         const Interrupt& interrupt) {
  if (memory.can(Ability::host_load_store)) return measure_memcpy_rate(memory, interrupt);
  return measure_pinned_copy_rate(context, device, memory, interrupt);
}

std::optional<double> measure_disk_rate(const Source& source, const Interrupt& interrupt) {
  constexpr std::uint64_t kReadBytes = 1ULL << 20;
  constexpr std::uint64_t kAlignment = 4096;
  constexpr unsigned kInFlight = 16;
  constexpr double kSecondsMax = 2.0;

  std::vector<LocalFile> files;
  std::vector<Extent> reads;
  std::vector<std::size_t> file_of_read;
  try {
    for (const SourceFile& file : source.files) files.emplace_back(file.path, LocalFile::Mode::direct);
  } catch (const Error& error) {
    // tmpfs and some network file systems refuse O_DIRECT; anything else was met by the load itself.
    if (error.status().code() == Code::invalid_argument || error.status().code() == Code::unsupported)
      return std::nullopt;
    throw;
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    for (std::uint64_t at = 0; at < files[i].size(); at += kReadBytes) {
      reads.push_back({.offset = at, .length = kReadBytes});
      file_of_read.push_back(i);
    }
  }
  std::atomic<std::size_t> next{0};
  std::atomic<std::uint64_t> bytes{0};
  const auto start = SteadyClock::now();
  run_workers(kInFlight, [&](unsigned) {
    const std::unique_ptr<std::byte, AlignedFree> memory(
        static_cast<std::byte*>(std::aligned_alloc(kAlignment, kReadBytes)));
    if (!memory) throw std::bad_alloc();
    while (seconds_since(start) < kSecondsMax && !interrupt.raised()) {
      const std::size_t read = next.fetch_add(1);
      if (read >= reads.size()) return;
      const std::span<std::byte> target(memory.get(), reads[read].length);
      bytes.fetch_add(files[file_of_read[read]].read_some(target, reads[read].offset));
    }
  });
  interrupt.check();
  return static_cast<double>(bytes.load()) / seconds_since(start);
}

Bound bound_of_load(std::uint64_t bytes, std::uint64_t disk_bytes, double copy_rate, std::optional<double> disk_rate) {
  const double copy_seconds = copy_rate > 0 ? static_cast<double>(bytes) / copy_rate : 0;
  const double disk_seconds = disk_rate.value_or(0) > 0 ? static_cast<double>(disk_bytes) / *disk_rate : 0;
  return {.seconds = std::max(copy_seconds, disk_seconds), .by_disk = disk_seconds > copy_seconds};
}

}  // namespace gpuio::cli
