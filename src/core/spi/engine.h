// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/spi/executor.h"
#include "core/spi/mapping.h"
#include "gpuio/finding.hpp"
#include "gpuio/result.hpp"
#include "gpuio/store.hpp"

/// What an engine implements: it opens stores of its schemes and moves bytes between them and host memory. It knows no
/// device, no Request and no queue of ours: the core hands it Runs and gets them back.
namespace gpuio::core {
struct SettingsValues;
}

namespace gpuio::spi {

class Store;

enum class RunKind : std::uint8_t { read, write, flush };

/// How an engine moves the bytes of a run; the core chooses among what `Store::plan` offers.
enum class Way : std::uint8_t {
  cached,  ///< Through the page cache, by pool workers: for resident bytes.
  queued,  ///< Through the storage queue, buffered.
  direct,  ///< Through the storage queue, O_DIRECT; segments must be aligned as the plan says.
};
std::string_view to_string(Way way) noexcept;

/// Contiguous bytes of a store and the host memory they go to or come from.
struct Segment {
  std::uint64_t offset = 0;
  std::byte* memory = nullptr;
  std::uint32_t bytes = 0;  ///< To be moved; widened to the alignment for Way::direct.
  std::uint32_t required =
      0;  ///< Reads: how many from the start must arrive; the rest may lie past the end of the store.
};

/// A segment that failed, by its position in Run::segments.
struct SegmentFailure {
  std::uint32_t segment = 0;
  Status status;
};

/// What the core gives to an engine: segments of one store that are moved the same way. Owned by the core, unmoved and
/// unchanged while the engine has it; the engine writes `failures`, counters and `engine_data`, then calls `finish`.
class Run {
 public:
  Store* store = nullptr;
  RunKind kind = RunKind::read;
  Way way = Way::cached;
  std::span<const Segment> segments;
  std::uint64_t deadline_ns = kNever;
  bool urgent = false;  ///< Of Priority::high: goes before others inside the engine.

  std::vector<SegmentFailure> failures;
  std::uint32_t retries = 0;
  std::uint32_t short_transfers = 0;
  void* engine_data = nullptr;

  /// Gives the run back; from the reactor's poll or from a pool task, exactly once. The run may be gone when it
  /// returns.
  virtual void finish() = 0;

 protected:
  ~Run() = default;
};

/// What a store can do for a range.
struct Plan {
  Way way = Way::cached;
  std::uint32_t offset_alignment = 1;  ///< Of offsets and lengths.
  std::uint32_t memory_alignment = 1;
  bool resident = false;     ///< The bytes are in memory: cheap, no device involved.
  bool lendable = false;     ///< `lend` may work: the pages themselves can be registered with a device.
  std::uint64_t length = 0;  ///< From the range's start, how far this plan holds.
  std::string_view reason;   ///< Static text.
  std::string_view medium;   ///< Of lendable ranges, static text: where ranges cost alike to read and to register.
};

/// The store's own pages, for devices only (host code must not touch them: another process may truncate the file).
struct Loan {
  std::byte* memory = nullptr;  ///< Of the range's first byte.
  std::byte* base = nullptr;    ///< Page-aligned mapping around it, for registration.
  std::uint64_t base_bytes = 0;
};

/// An open store. Thread safety: as each member says.
class Store {
 public:
  virtual ~Store() = default;

  [[nodiscard]] virtual const std::string& uri() const noexcept = 0;  ///< Any thread, as all const members.
  [[nodiscard]] virtual std::string_view engine() const noexcept = 0;
  [[nodiscard]] virtual std::string_view tier() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t size() const noexcept = 0;  ///< Last known; no system call.
  [[nodiscard]] virtual bool writable() const noexcept = 0;
  [[nodiscard]] virtual std::string explain() const = 0;
  [[nodiscard]] virtual Result<Residency> residency(std::uint64_t offset, std::uint64_t length) = 0;

  /// How a range would be moved now. `offset + length` is inside the store for reads. Reactor only; one system call at
  /// most.
  [[nodiscard]] virtual Plan plan(RunKind kind, std::uint64_t offset, std::uint64_t length, CacheUse cache) = 0;

  /// What `explain()` and statistics call a way here: "io_uring direct", "page cache". Static text.
  [[nodiscard]] virtual std::string_view way_name(Way way) const noexcept { return to_string(way); }

  /// Starts a run; `run.finish()` follows, possibly before this returns. Reactor only.
  virtual void start(Run& run) = 0;

  /// Asks for an early end of a run; `finish` still follows, with `cancelled` for what did not happen. Reactor only.
  virtual void cancel(Run& run) = 0;

  /// Moves one small segment on the caller's thread if that can't block on a device; `would_block` otherwise. Any
  /// thread.
  [[nodiscard]] virtual Status read_now(const Segment& segment) = 0;

  /// The pages of a resident range, mapped read-only; `unsupported` where there are none. Any thread.
  [[nodiscard]] virtual Result<Loan> lend(std::uint64_t offset, std::uint64_t length) = 0;
  virtual void take_back(const Loan& loan) = 0;
  /// Checks after a device has read lent pages that they were the store's all along: fails with `end_of_file` if the
  /// store was cut meanwhile. Any thread.
  [[nodiscard]] virtual Status check_lent(std::uint64_t offset, std::uint64_t length) = 0;

  /// The store's own bytes at addresses, for host code too. Any thread. Fails with `unsupported` where there are none,
  /// else as core/mapping/descriptor_mapping.h says.
  [[nodiscard]] virtual Result<std::unique_ptr<Mapping>> map(const MapRange& /*range*/) {
    return Status(Code::unsupported, "this store has no bytes that could be mapped").with("store", uri());
  }

  /// Identity of the bytes for kept loans: changes when the file behind the name or its contents may have. 0: never
  /// keep.
  [[nodiscard]] virtual std::uint64_t identity() = 0;

  [[nodiscard]] virtual Status
  flush() = 0;  ///< Blocks. Any thread. Sticky failure as Store::flush of the public header.
  [[nodiscard]] virtual Status commit() = 0;  ///< Blocks. Any thread.
  [[nodiscard]] virtual Status truncate(std::uint64_t size_bytes) = 0;
};

/// A parsed URI: `scheme://path?key=value&...`, percent-decoded.
struct Uri {
  std::string scheme;
  std::string path;
  std::vector<std::pair<std::string, std::string>> parameters;
  std::string text;  ///< As given.
};

/// A family of stores. `poll` drives what it has in flight (Pollable); the core attaches it to its executor.
class Engine : public Pollable {
 public:
  virtual ~Engine() = default;
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  [[nodiscard]] virtual std::vector<std::string_view> schemes() const = 0;
  [[nodiscard]] virtual Result<std::shared_ptr<Store>> open(const Uri& uri, const OpenOptions& options) = 0;

  /// Slabs and pinned Regions that runs will use again and again. Reactor only; may do nothing.
  virtual void register_memory(std::byte* base, std::size_t bytes) = 0;
  virtual void unregister_memory(std::byte* base) = 0;

  /// Lines for `gpuio doctor`.
  [[nodiscard]] virtual std::vector<Finding> diagnose() = 0;
};

/// What an engine is given when it is made. Settings are read then; those that may change while running are the core's.
struct EngineHost {
  Executor& executor;
  const core::SettingsValues& settings;
};

}  // namespace gpuio::spi
