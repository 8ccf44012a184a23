// SPDX-License-Identifier: Apache-2.0
#include "core/counters.h"

#include <algorithm>
#include <array>
#include <exception>
#include <new>
#include <utility>

#include "base/histogram.h"

namespace gpuio::core {
namespace {

constexpr std::array<std::string_view, kCountedOperations> kOperationNames{"read", "write", "copy",
                                                                           "fill", "flush", "launch"};
constexpr std::size_t kCells = kCountedOperations * Counters::kTiersMax * Counters::kDevicesMax;

std::size_t cell_index(std::size_t operation, std::size_t tier, std::size_t device) noexcept {
  return (operation * Counters::kTiersMax + std::min(tier, Counters::kTiersMax - 1)) * Counters::kDevicesMax +
         std::min(device, Counters::kDevicesMax - 1);
}

std::uint16_t id_of(std::vector<std::string>& names, std::string_view name, std::size_t limit) {
  const auto known = std::find(names.begin(), names.end(), name);
  if (known != names.end()) return static_cast<std::uint16_t>(known - names.begin());
  if (names.size() + 1 >= limit) {
    names.resize(limit, "other");
    return static_cast<std::uint16_t>(limit - 1);
  }
  names.emplace_back(name);
  return static_cast<std::uint16_t>(names.size() - 1);
}

/// Of the one thread that writes it: needs no locked instruction.
void add_relaxed(std::atomic<std::uint64_t>& counter, std::uint64_t amount) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

}  // namespace

/// What one thread counted of one kind.
struct Counters::Cell {
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::uint64_t> failures{0};
  base::Histogram latency_ns;
};

struct Counters::Shard {
  ~Shard() {
    for (std::atomic<Cell*>& cell : cells) delete cell.load(std::memory_order_relaxed);
  }

  bool owned = true;  ///< By a living thread; guarded by the book's mutex.
  std::array<std::atomic<Cell*>, kCells> cells{};
};

/// All shards of one Counters. Those of ended threads keep their counts, and new threads go on in them.
struct Counters::Book {
  Shard* acquire() {
    const std::lock_guard lock(mutex);
    for (const std::unique_ptr<Shard>& shard : shards) {
      if (!std::exchange(shard->owned, true)) return shard.get();
    }
    return shards.emplace_back(std::make_unique<Shard>()).get();
  }

  void release(Shard& shard) {
    const std::lock_guard lock(mutex);
    shard.owned = false;
  }

  std::mutex mutex;
  std::vector<std::unique_ptr<Shard>> shards;
};

/// The shards that this thread has: one for each Counters it counted for.
struct Counters::ThreadShards {
  struct Entry {
    std::uint64_t id = 0;
    Shard* shard = nullptr;
    std::weak_ptr<Book> book;
  };

  /// The last one used, apart from the rest: reading it needs no check whether the list was constructed.
  struct Last {
    std::uint64_t id = 0;
    Shard* shard = nullptr;
    bool thread_ended = false;
  };

  ~ThreadShards() {
    last = {0, nullptr, true};
    for (const Entry& entry : entries) {
      if (const std::shared_ptr<Book> book = entry.book.lock()) book->release(*entry.shard);
    }
  }

  Shard* find(std::uint64_t id, const std::shared_ptr<Book>& book) {
    for (const Entry& entry : entries) {
      if (entry.id == id) return entry.shard;
    }
    std::erase_if(entries, [](const Entry& entry) { return entry.book.expired(); });
    entries.reserve(entries.size() + 1);  // before a shard is taken, so that none is lost
    return entries.emplace_back(Entry{id, book->acquire(), book}).shard;
  }

  static thread_local constinit Last last;
  static thread_local ThreadShards mine;

  std::vector<Entry> entries;
};

thread_local constinit Counters::ThreadShards::Last Counters::ThreadShards::last{};
thread_local Counters::ThreadShards Counters::ThreadShards::mine;

Counters::Counters() : book_(std::make_shared<Book>()) {
  static std::atomic<std::uint64_t> next_id{1};
  id_ = next_id.fetch_add(1, std::memory_order_relaxed);
}

Counters::~Counters() = default;

std::uint16_t Counters::tier_id(std::string_view name) {
  const std::lock_guard lock(names_mutex_);
  return id_of(tiers_, name, kTiersMax);
}

std::uint16_t Counters::device_id(std::string_view name) {
  const std::lock_guard lock(names_mutex_);
  return id_of(devices_, name, kDevicesMax);
}

Counters::Shard* Counters::shard() const noexcept {
  ThreadShards::Last& last = ThreadShards::last;
  if (last.id == id_) return last.shard;
  if (last.thread_ended) return nullptr;
  try {
    last = {id_, ThreadShards::mine.find(id_, book_), false};
    return last.shard;
  } catch (const std::exception&) {
    return nullptr;
  }
}

void Counters::record(CountedOperation operation, std::uint16_t tier, std::uint16_t device, std::uint64_t bytes,
                      std::uint64_t latency_ns, bool failed) noexcept {
  Shard* own = shard();
  if (own == nullptr) return;
  std::atomic<Cell*>& slot = own->cells[cell_index(static_cast<std::size_t>(operation), tier, device)];
  Cell* cell = slot.load(std::memory_order_relaxed);
  if (cell == nullptr) {
    cell = new (std::nothrow) Cell;
    if (cell == nullptr) return;
    slot.store(cell, std::memory_order_release);
  }
  add_relaxed(cell->bytes, bytes);
  if (failed) add_relaxed(cell->failures, 1);
  cell->latency_ns.record(latency_ns);
}

Statistics Counters::read() const {
  Statistics statistics;
  const std::scoped_lock lock(names_mutex_, book_->mutex);
  for (std::size_t index = 0; index < kCells; ++index) {
    OperationStatistics sum;
    base::HistogramReading latency;
    for (const std::unique_ptr<Shard>& shard : book_->shards) {
      const Cell* cell = shard->cells[index].load(std::memory_order_acquire);
      if (cell == nullptr) continue;
      sum.bytes += cell->bytes.load(std::memory_order_relaxed);
      sum.failures += cell->failures.load(std::memory_order_relaxed);
      latency.add(cell->latency_ns);
    }
    if (latency.count() == 0) continue;
    sum.operation = kOperationNames[index / kDevicesMax / kTiersMax];
    sum.tier = tiers_[std::min(index / kDevicesMax % kTiersMax, tiers_.size() - 1)];
    sum.device = devices_[std::min(index % kDevicesMax, devices_.size() - 1)];
    sum.requests = latency.count();
    sum.latency_p50_ns = latency.quantile(0.5);
    sum.latency_p99_ns = latency.quantile(0.99);
    sum.latency_p999_ns = latency.quantile(0.999);
    sum.latency_max_ns = latency.max();
    statistics.operations.push_back(std::move(sum));
  }
  statistics.retries = retries.load(std::memory_order_relaxed);
  statistics.short_transfers = short_transfers.load(std::memory_order_relaxed);
  return statistics;
}

}  // namespace gpuio::core
