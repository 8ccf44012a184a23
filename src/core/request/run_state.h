// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/copy/copy_crew.h"
#include "core/device_state.h"
#include "core/memory/loans.h"
#include "core/memory/slab_ring.h"
#include "core/request/path.h"
#include "core/request/request_state.h"
#include "core/spi/engine.h"
#include "core/store_state.h"

namespace gpuio::core {

class RunState;

/// Where finished runs go; the scheduler.
class RunSink {
 public:
  /// From the reactor or from a pool task.
  virtual void finished(RunState& run) = 0;

 protected:
  ~RunSink() = default;
};

/// A part of one Request inside a run. In place, where nothing else is to be known of them, extents that follow each
/// other in the run are one piece over several segments, and the segments say where they lie.
struct Piece {
  RequestState* request = nullptr;  ///< Null once the Request gave it up; the bytes then go nowhere.
  std::size_t transfer = 0;
  std::uint64_t store_offset = 0;
  std::uint64_t bytes = 0;
  std::byte* host = nullptr;    ///< In the slab or the lent pages; in place: its memory.
  std::byte* memory = nullptr;  ///< Its place in the caller's Slice.
  std::uint32_t segment = 0;    ///< Which segment of the run carries it.
  std::uint32_t segments = 1;   ///< How many from that one on; more than one are its alone.
};

/// What a run is waiting for.
enum class Stage : std::uint8_t {
  free,         ///< Being built, or unused.
  engine,       ///< The engine has it.
  registering,  ///< A pool task maps and registers the store's pages.
  copying,      ///< The device copies between slab (or lent pages) and memory, or the pool between two Regions.
  delayed,      ///< Failed in a way that may pass; waits for its next attempt.
};

/// Bytes on their way: pieces of one or many Requests that share store, way, device and, where they pass through one, a
/// slab. Reused, so that a steady flow allocates nothing. Reactor only, but for `finish` and `run`.
class RunState final : public spi::Run, public spi::Task {
 public:
  explicit RunState(RunSink& sink) : sink_(sink) {}
  ~RunState() = default;
  RunState(const RunState&) = delete;
  RunState& operator=(const RunState&) = delete;

  void finish() override { sink_.finished(*this); }
  void run() override;  ///< Pool task of Stage::registering.

  /// Makes it as new, keeping the vectors' memory.
  void reset();
  /// Makes it as `other` began, without its pieces.
  void reset_as(const RunState& other);

  std::vector<spi::Segment> segment_list;
  std::vector<Piece> pieces;
  Path path;
  Carriage chosen = Carriage::in_place;  ///< The carriage at the start; `path` has the one it came to.
  std::string_view medium;               ///< As Decision::medium.
  std::string_view way_name;
  std::string_view reason;
  Operation operation = Operation::read;
  Priority priority = Priority::bulk;
  Stage stage = Stage::free;
  std::shared_ptr<StoreState> store_state;
  DeviceState* device = nullptr;
  SlabRing* ring = nullptr;
  Slab* slab = nullptr;
  Slab* list = nullptr;             ///< Of a run whose bytes pass through no slab: the kernel's list, or a pattern.
  std::uint64_t list_count = 0;     ///< Segments of the list, where it was made with the run.
  std::uint64_t bytes = 0;          ///< That the pieces name.
  std::uint64_t storage_bytes = 0;  ///< That the storage moves, widened and with gaps.
  std::uint64_t started_ns = 0;
  std::uint32_t attempt = 0;
  std::uint64_t retry_at_ns = 0;
  bool quarantined = false;
  bool cxl = false;            ///< As RequestState::cxl.
  bool leaves_device = false;  ///< Which of the device's streams it takes.
  Lane lane = Lane::bulk;
  spi::EventHandle event = nullptr;

  std::optional<CopySpan> span;  ///< What a run without a store moves, where its one piece doesn't say so.
  CopyCrew crew;

  LoanBook* loans = nullptr;  ///< Stage::registering: where to borrow, and what came of it.
  Lent lent;
  Status lend_status;

  RunState* next = nullptr;         ///< In the queue of finished runs.
  std::size_t in_flight_index = 0;  ///< In the scheduler's list.

 private:
  RunSink& sink_;
};

}  // namespace gpuio::core
