// SPDX-License-Identifier: Apache-2.0
#include "core/cost_model/memory_probe.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/align.h"
#include "base/random.h"
#include "base/units.h"
#include "core/copy/host_copy.h"
#include "core/executor/thread.h"
#include "core/launch/rows.kernel.h"

namespace gpuio::core {
namespace {

constexpr std::uint64_t kSliceBytesMax = 16 * base::kMiB;
constexpr std::array<std::uint64_t, 5> kRowBytes{64, 128, 512, 656, 4096};
constexpr std::uint64_t kSeed = 1;

/// Twice the last cache, so that what was used before is gone by the time its turn comes again.
std::uint64_t bytes_for(const Session& session, const UsableNode& node) {
  const long cache = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
  const auto twice = 2 * static_cast<std::uint64_t>(std::max(cache, 0L));
  const std::uint64_t least = session.quick ? 64 * base::kMiB : 256 * base::kMiB;
  const std::uint64_t most = session.quick ? 128 * base::kMiB : 1 * base::kGiB;
  const std::uint64_t free_share = node.free_bytes == 0 ? most : node.free_bytes / 4;
  return base::align_down(std::min(std::clamp(twice, least, most), free_share), 2 * base::kMiB);
}

/// A thread's part of the memory, and in it the slice whose turn it is.
struct Share {
  Share(const HostPages& pages, unsigned threads, unsigned thread, std::uint64_t turn)
      : bytes(base::align_down<std::uint64_t>(pages.size() / threads, 2 * kHostLineBytes)),
        slice_bytes(base::align_down(std::min(bytes / 2, kSliceBytesMax), kHostLineBytes)),
        begin(pages.base() + thread * bytes) {
    const std::uint64_t slices = bytes / 2 / slice_bytes;
    offset = turn % slices * slice_bytes;
  }

  [[nodiscard]] std::byte* low() const { return begin + offset; }               ///< In the first half.
  [[nodiscard]] std::byte* high() const { return begin + bytes / 2 + offset; }  ///< The same of the second.

  std::uint64_t bytes;
  std::uint64_t slice_bytes;
  std::byte* begin;
  std::uint64_t offset = 0;
};

std::uint64_t sum(const std::byte* from, std::uint64_t bytes) {
  constexpr std::size_t kLanes = 8;  // As many loads are on their way as the core allows.
  std::array<std::uint64_t, kLanes> sums{};
  const auto* words = reinterpret_cast<const std::uint64_t*>(from);
  for (std::uint64_t i = 0; i < bytes / sizeof(std::uint64_t); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += words[i + lane];
  }
  return std::accumulate(sums.begin(), sums.end(), std::uint64_t{0});
}

/// Has the compiler keep what computes `value`.
void keep(std::uint64_t value) noexcept { asm volatile("" : : "r"(value) : "memory"); }

/// Each line's first word becomes the number of the line to go to next: one ring through all of them, in an order that
/// no prefetcher guesses (Sattolo's shuffle).
void link_lines(std::byte* memory, std::uint64_t lines) {
  const auto word = [memory](std::uint64_t line) -> std::uint64_t& {
    return *reinterpret_cast<std::uint64_t*>(memory + line * kHostLineBytes);
  };
  for (std::uint64_t line = 0; line < lines; ++line) word(line) = line;
  base::Random random(kSeed);
  for (std::uint64_t line = lines - 1; line > 0; --line) std::swap(word(line), word(random.uniform(line)));
}

}  // namespace

MemoryProbe::MemoryProbe(const Session& session, HostPages pages, Crew one, std::optional<Crew> all) noexcept
    : session_(session), meter_(session), pages_(std::move(pages)), one_(std::move(one)), all_(std::move(all)) {}

Result<std::unique_ptr<MemoryProbe>> MemoryProbe::start(const Session& session, const UsableNode& node) {
  const std::uint64_t bytes = bytes_for(session, node);
  if (bytes < 4 * base::kMiB) {
    return Status(Code::out_of_memory, "a memory node with nothing free can't be measured")
        .with("node", static_cast<std::uint64_t>(node.node));
  }
  GPUIO_ASSIGN(HostPages pages, HostPages::map(bytes, node.node));
  if (const int found = node_holding(pages.base()); found >= 0 && found != node.node) {
    return Status(Code::out_of_memory, "the kernel gave memory of another node")
        .with("node", static_cast<std::uint64_t>(node.node));
  }
  const int from = node.cores > 0 ? node.node : -1;
  const unsigned threads = node.cores > 0 ? node.cores : usable_cores();
  GPUIO_ASSIGN(Crew one, Crew::start(1, from));
  std::optional<Crew> all;
  if (threads > 1) {
    GPUIO_ASSIGN(all, Crew::start(threads, from));
  }
  std::unique_ptr<MemoryProbe> probe(new MemoryProbe(session, std::move(pages), std::move(one), std::move(all)));
  probe->cost_.node = node.node;
  return probe;
}

Status MemoryProbe::measure_bandwidth() {
  GPUIO_TRY(measure_rates(one_, cost_.one_thread));
  return measure_rates(all(), cost_.all_threads);
}

Status MemoryProbe::measure_rates(const Crew& crew, MemoryRates& rates) {
  const unsigned threads = crew.threads();
  const auto measure = [&](auto work) {
    std::uint64_t turn = 0;
    return meter_.best_rate([&]() -> Result<Pass> {
      const std::uint64_t slice_bytes = Share(pages_, threads, 0, 0).slice_bytes;
      const std::uint64_t took_ns =
          crew.run(session_.clock, [&](unsigned thread) { work(Share(pages_, threads, thread, turn)); });
      ++turn;
      return Pass{static_cast<double>(threads * slice_bytes), took_ns};
    });
  };
  rates.threads = threads;
  const auto read = [](const Share& share) { keep(sum(share.low(), share.slice_bytes)); };
  const auto write = [](const Share& share) { std::memset(share.low(), 1, share.slice_bytes); };
  const auto copy = [](const Share& share) { std::memcpy(share.high(), share.low(), share.slice_bytes); };
  GPUIO_ASSIGN(rates.read_bytes_per_second, measure(read));
  GPUIO_ASSIGN(rates.write_bytes_per_second, measure(write));
  GPUIO_ASSIGN(rates.copy_bytes_per_second, measure(copy));
  return {};
}

Status MemoryProbe::measure_latency() {
  constexpr std::uint64_t kSteps = 20'000;
  link_lines(pages_.base(), pages_.size() / kHostLineBytes);
  std::uint64_t line = 0;
  const auto follow = [&](unsigned) {
    for (std::uint64_t step = 0; step < kSteps; ++step) {
      line = *reinterpret_cast<const std::uint64_t*>(pages_.base() + line * kHostLineBytes);
    }
    keep(line);
  };
  const auto pass = [&]() -> Result<Pass> { return Pass{kSteps, one_.run(session_.clock, follow)}; };
  GPUIO_ASSIGN(const double loads_per_second, meter_.best_rate(pass));
  cost_.load_latency_ns = 1e9 / loads_per_second;
  return {};
}

Status MemoryProbe::measure_rows() {
  constexpr std::uint64_t kIdsMin = 1U << 20U;
  constexpr std::uint64_t kIdsAThread = 1U << 16U;
  base::Random random(kSeed);
  std::vector<std::uint32_t> draws(std::max(kIdsMin, kIdsAThread * all().threads()));
  for (std::uint32_t& draw : draws) draw = static_cast<std::uint32_t>(random.next());
  std::vector<std::uint32_t> ids(draws.size());
  cost_.rows.clear();
  for (const std::uint64_t row_bytes : kRowBytes) {
    const std::uint64_t rows = pages_.size() / row_bytes;
    std::ranges::transform(draws, ids.begin(),
                           [rows](std::uint32_t draw) { return static_cast<std::uint32_t>(draw * rows >> 32U); });
    RowRate rate;
    rate.row_bytes = row_bytes;
    GPUIO_ASSIGN(rate.one_thread_rows_per_second, rate_of_rows(one_, ids, row_bytes));
    GPUIO_ASSIGN(rate.all_threads_rows_per_second, rate_of_rows(all(), ids, row_bytes));
    cost_.rows.push_back(rate);
  }
  return {};
}

Result<double> MemoryProbe::rate_of_rows(const Crew& crew, std::span<const std::uint32_t> ids,
                                         std::uint64_t row_bytes) {
  constexpr std::uint64_t kPackedBytes = 256 * base::kKiB;  // Stays in the core's own cache: tables are measured.
  constexpr std::uint64_t kRows = 8192;
  const unsigned threads = crew.threads();
  const std::uint64_t batch = std::min(kRows, kPackedBytes / row_bytes);
  const std::uint64_t windows = ids.size() / kRows;
  std::vector<std::vector<std::byte>> packed(threads, std::vector<std::byte>(batch * row_bytes));
  std::uint64_t turn = 0;
  return meter_.best_rate([&]() -> Result<Pass> {
    const std::uint64_t took_ns = crew.run(session_.clock, [&](unsigned thread) {
      const std::uint64_t window = (turn * threads + thread) % windows;
      spi::RowsArguments rows{};
      rows.table = pages_.base();
      rows.table_rows = pages_.size() / row_bytes;
      rows.row_bytes = rows.stride_bytes = row_bytes;
      rows.id_bytes = sizeof(std::uint32_t);
      rows.packed = packed[thread].data();
      for (std::uint64_t done = 0; done < kRows; done += batch) {
        rows.ids = ids.data() + window * kRows + done;
        rows.count = std::min(batch, kRows - done);
        move_rows<RowDirection::gather>(dev::LoopPolicy{}, rows);
      }
    });
    ++turn;
    return Pass{static_cast<double>(kRows * threads), took_ns};
  });
}

Status MemoryProbe::measure_atomics() {
  GPUIO_ASSIGN(cost_.atomics_per_second, rate_of_atomics(one_, false));
  GPUIO_ASSIGN(cost_.contended_atomics_per_second, rate_of_atomics(all(), true));
  return {};
}

Result<double> MemoryProbe::rate_of_atomics(const Crew& crew, bool shared) {
  constexpr std::uint64_t kAdditions = 100'000;
  constexpr std::uint64_t kApart = 2 * kHostLineBytes;  // Prefetchers fetch lines in pairs.
  return meter_.best_rate([&]() -> Result<Pass> {
    const std::uint64_t took_ns = crew.run(session_.clock, [&](unsigned thread) {
      auto* const word = reinterpret_cast<std::uint64_t*>(pages_.base() + (shared ? 0 : thread * kApart));
      const std::atomic_ref<std::uint64_t> counter(*word);
      for (std::uint64_t i = 0; i < kAdditions; ++i) counter.fetch_add(1, std::memory_order_relaxed);
    });
    return Pass{static_cast<double>(kAdditions * crew.threads()), took_ns};
  });
}

}  // namespace gpuio::core
