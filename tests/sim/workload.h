// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "model.h"
#include "world.h"

namespace gpuio::tests {

struct WorkloadResult {
  std::string problem;                               ///< Empty if all was well.
  std::uint64_t trace = 0;                           ///< Equal for two runs of one seed.
  std::array<std::uint64_t, sim::kFaults> faults{};  ///< By kind.
  std::uint64_t requests = 0;
  std::uint64_t failed_requests = 0;
};

/// Random calls of the public API on a simulated machine, against a plain model of every byte.
///
/// What must hold at any time: a request that reports ok did what it says; one that does not names parts, and the
/// others are done; what nobody asked for is untouched; every deadline is kept; everything ends; nothing is left; and
/// what was flushed survives a power cut.
class Workload {
 public:
  explicit Workload(std::uint64_t seed);
  WorkloadResult run(unsigned actions);

 private:
  struct File {
    std::string path;
    Store store;
    ModelBytes model;
    ModelBytes durable;  ///< After a power cut now.
    RangeLocks locks;
    bool poisoned = false;  ///< A flush failed: so must all that follow.
    bool doubtful = false;  ///< ... or may have: what survives a power cut is not known.
    bool victim = false;    ///< Another process cuts it.
  };
  struct Memory {
    Device device;
    Buffer buffer;
    std::vector<Stream> streams;
    ModelBytes model;
    RangeLocks locks;
  };
  enum class Kind : std::uint8_t { read, write, copy };
  struct Report {
    Status status;
    std::string explanation;  ///< Of one whose handles are gone.
    std::uint64_t at_ns = 0;
    bool done = false;
  };
  static constexpr std::uint64_t kNoDeadline = ~std::uint64_t{0};
  static constexpr std::uint64_t kLateNs = 1'000'000'000;
  struct Pending {
    Kind kind = Kind::read;
    Request request;
    File* file = nullptr;
    Memory* memory = nullptr;     ///< Copies: the destination.
    Memory* source = nullptr;     ///< Copies.
    std::vector<Move> moves;      ///< Memory offsets are the buffer's.
    std::vector<std::byte> data;  ///< Writes and copies: what goes, in the order of `moves`.
    Extent file_lock;
    Extent memory_lock;
    Extent source_lock;
    bool durable = false;
    std::uint64_t deadline_ns = kNoDeadline;
    std::shared_ptr<Report> report;
    std::optional<Event> passed;  ///< On its stream, behind it.
    bool settled = false;         ///< Waits for the quarantine only.

    /// When it should have reported, whatever happened.
    [[nodiscard]] std::uint64_t late_ns() const noexcept {
      return deadline_ns == kNoDeadline ? kNoDeadline : deadline_ns + kLateNs;
    }
    [[nodiscard]] std::string describe() const;
  };
  struct Drawn {
    Layout layout;
    std::vector<Extent> extents;
  };

  void set_up();
  void verify();
  void tear_down();
  void check_after_power_cut();

  // actions.cpp
  void act();
  void start_transfer();
  void start_batch();
  void start_copy();
  void flush();
  void cancel_one();
  void drop_one();
  void disturb();
  void replace();
  [[nodiscard]] std::optional<Pending> draw_transfer(Kind kind, Slice& slice, Drawn& extents, Drawn& placement);
  [[nodiscard]] TransferOptions draw_options(Pending& pending);
  [[nodiscard]] Extent draw_range(std::uint64_t within);
  [[nodiscard]] Drawn draw_layout(const Extent& range, bool distinct);
  [[nodiscard]] Drawn draw_placement(std::uint64_t bytes);
  void fill_source(Pending& pending);
  void watch(Pending pending, Request request);
  void give_up(Pending& pending, const Status& refusal);

  void collect(bool at_leisure);
  void settle(Pending& pending);
  void settle_read(Pending& pending, const Status& status);
  void settle_write(Pending& pending, const Status& status);
  void settle_copy(Pending& pending, const Status& status);
  void unlock(Pending& pending);
  bool quiesce();
  [[nodiscard]] bool quarantine_empty() const;
  [[nodiscard]] std::vector<std::byte> bytes_of(const Memory& memory, const Pending& pending) const;
  void check_honest(const Status& status, std::string_view what);
  void fail(std::string problem);

  std::uint64_t seed_;
  base::Random random_;
  World world_;
  std::vector<std::unique_ptr<File>> files_;
  std::vector<std::unique_ptr<Memory>> memories_;
  std::vector<Pending> pending_;
  bool keeps_pages_ = false;
  WorkloadResult result_;
};

}  // namespace gpuio::tests
