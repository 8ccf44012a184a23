// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gpuio/result.hpp"

namespace gpuio {

class Context;
class Settings;

/// Memory of one node as the machine's fingerprint has it.
struct NodeMemory {
  int node = 0;             ///< Its id.
  std::uint64_t bytes = 0;  ///< All of it.
};

/// What a cost model holds for: another machine, or this one changed, has other costs.
struct MachineFingerprint {
  std::string processor;             ///< Model, as the kernel names it.
  std::uint64_t cores = 0;           ///< That this process may use: its affinity mask, its control group's quota.
  std::vector<NodeMemory> memory;    ///< By node.
  std::vector<std::string> devices;  ///< Accelerators on PCI: "0000:17:00.0 10de:2330", by address.
  std::string kernel;                ///< Release.
  std::string library_version;       ///< Of GPUIO.
};

/// Bytes a second of one way to use memory; of a copy, those that were copied.
struct MemoryRates {
  std::uint64_t threads = 0;          ///< That worked side by side.
  double read_bytes_per_second = 0;   ///< Loads.
  double write_bytes_per_second = 0;  ///< Stores.
  double copy_bytes_per_second = 0;   ///< Within the node.
};

/// Rows gathered from random places of a table larger than the caches.
struct RowRate {
  std::uint64_t row_bytes = 0;             ///< Length of a row; rows follow each other without gaps.
  double one_thread_rows_per_second = 0;   ///< By one thread.
  double all_threads_rows_per_second = 0;  ///< By all of them, together.
};

/// Memory of one node, used from the processors nearest to it.
struct MemoryCost {
  int node = 0;                             ///< Its id.
  MemoryRates one_thread;                   ///< Of one thread.
  MemoryRates all_threads;                  ///< Of all processors near it.
  double load_latency_ns = 0;               ///< Of a load whose address the load before it gave.
  std::vector<RowRate> rows;                ///< By length.
  double atomics_per_second = 0;            ///< Additions to a line of one thread's own.
  double contended_atomics_per_second = 0;  ///< By all threads to one line, together.
};

/// Copies of memory that was used just before, through the caches and past them.
struct StreamingRate {
  std::uint64_t bytes = 0;               ///< Of one copy.
  double cached_bytes_per_second = 0;    ///< By memcpy.
  double streamed_bytes_per_second = 0;  ///< By stores that pass the caches; 0: this processor has none.
};

/// What the host's processors cost, wherever memory lies.
struct ProcessorCost {
  double hand_over_ns = 0;               ///< From a sleeping pool's being given a task to its being done.
  std::vector<StreamingRate> streaming;  ///< By size.
};

/// Copies between pinned host memory and a device, one after the other.
struct LinkRate {
  std::uint64_t bytes = 0;                  ///< Of one copy.
  double to_device_bytes_per_second = 0;    ///< Host to device.
  double from_device_bytes_per_second = 0;  ///< Device to host.
};

/// Many pieces from pinned host memory to places in a device's, in one call.
struct PieceRate {
  std::uint64_t bytes = 0;                  ///< Of one piece.
  double copy_engine_bytes_per_second = 0;  ///< A copy for each.
  double kernel_bytes_per_second = 0;       ///< One kernel for all.
};

/// Random rows of a table in host memory, gathered by a kernel into the device's memory.
struct DeviceRowRate {
  std::uint64_t row_bytes = 0;        ///< Length of a row.
  double pinned_rows_per_second = 0;  ///< Of a table in a Region of kind `pinned`; 0: not measured.
  double mapped_rows_per_second = 0;  ///< Of kind `mapped`; 0: not measured, or the device has none.
};

/// An accelerator's link. Of the host device there is none: its memory is the host's.
struct DeviceCost {
  std::string name;                      ///< "cuda:0"
  std::string model;                     ///< As the vendor calls it.
  std::string bus_id;                    ///< PCI address: a device is known by it where it has one.
  double launch_ns = 0;                  ///< From giving an empty stream a kernel to its being done.
  double register_bytes_per_second = 0;  ///< Registering host memory and giving it back; 0: the device can't.
  std::vector<LinkRate> link;            ///< By size.
  std::vector<PieceRate> pieces;         ///< By size.
  std::vector<DeviceRowRate> rows;       ///< By length.
};

/// Files in a folder, past the page cache where the file system can.
struct FolderCost {
  std::string folder;                 ///< As it was named.
  double read_bytes_per_second = 0;   ///< Of a long file.
  double write_bytes_per_second = 0;  ///< Of a long file, flushed.
  double small_reads_per_second = 0;  ///< 4 KiB at random offsets, many in flight.
};

/// A device's part of CostThresholds.
struct DeviceThresholds {
  std::string name;                          ///< "cuda:0"
  std::string bus_id;                        ///< As DeviceCost::bus_id.
  std::uint64_t kernel_piece_bytes_max = 0;  ///< Longer pieces are copied one by one, shorter ones by one kernel.
  std::string hot_path;                      ///< First guess for resident bytes: "copy", "register" or "kernel", as
                                             ///< local.hot_path; loads then measure and correct it.
};

/// What the planner takes from a model. Without one it has defaults of its own.
struct CostThresholds {
  std::uint64_t inline_bytes_max = 0;  ///< For scheduler.inline_bytes_max, unless that is set.
  std::uint64_t streamed_copy_bytes_min =
      0;                                  ///< Host copies from this size on pass the caches; the largest number: none.
  std::vector<DeviceThresholds> devices;  ///< Of each accelerator that was measured.
};

/// What the tiers of one machine cost, as `gpuio calibrate` measured it. What was not measured is 0 or missing.
///
/// Contexts read the file that the setting `core.cost_model` names when they are made. A missing file is no error:
/// the planner has defaults. Thread safety: as a vector.
struct CostModel {
  MachineFingerprint machine;       ///< Where it holds.
  std::string measured_at;          ///< "2026-03-01T12:00:00Z"
  bool quick = false;               ///< Measured in a hurry: rougher.
  ProcessorCost processor;          ///< Whatever does not depend on a node.
  std::vector<MemoryCost> memory;   ///< Of nodes, by id.
  std::vector<DeviceCost> devices;  ///< Of accelerators.
  std::vector<FolderCost> folders;  ///< Of those that were named.

  /// What follows from the numbers; costs nothing worth naming.
  [[nodiscard]] CostThresholds thresholds() const;

  /// One JSON object with the fields above and a checksum, as in the file.
  [[nodiscard]] std::string to_json() const;

  /// Takes what to_json gave. Fails with `corrupt` (not JSON, a missing field, a wrong type, a number that can't be, a
  /// checksum that differs; names the field) or `unsupported` (another version's format).
  [[nodiscard]] static Result<CostModel> from_json(std::string_view text);

  /// Writes the file and the folders above it; all or nothing. Fails as files do.
  [[nodiscard]] Status save(const std::string& path) const;

  /// Reads a model for this machine. Fails with `not_found`, `corrupt`, or `unsupported` where it is another machine's
  /// or another version's: says what differs, and to run `gpuio calibrate`.
  [[nodiscard]] static Result<CostModel> load(const std::string& path);

  /// The file that `core.cost_model` names, or $XDG_CACHE_HOME/gpuio/cost_model.json (~/.cache if unset) where it is
  /// empty. Empty where it is "off", or nobody knows a folder.
  [[nodiscard]] static std::string path_of(const Settings& settings);

  /// The model that `context` read when it was made. Fails as load did, and the Context goes on with defaults.
  [[nodiscard]] static Result<CostModel> of(const Context& context);
};

/// How far a calibration is.
struct CalibrationProgress {
  std::string_view step;  ///< What is measured now: "node 0: copies"
  double done = 0;        ///< Share of the time that all of it takes, 0 to 1.
};

/// What is to be measured, and how carefully.
struct CalibrateOptions {
  bool quick = false;                ///< Under a second a node, for a rough idea; else some seconds.
  bool devices = true;               ///< Open and measure every accelerator.
  std::vector<std::string> folders;  ///< Each gets a file of 256 MiB (quick: 16 MiB), which is gone afterwards.

  /// Called before each step and at the end, on the caller's thread; false cancels.
  std::function<bool(const CalibrationProgress&)> progress = {};
  /// Asked between passes of a few milliseconds, on the caller's thread; true cancels.
  std::function<bool()> cancelled = {};
};

/// Measures memory, atomics, accelerators and folders. Blocks for seconds and keeps all processors busy: what else
/// runs meanwhile makes the numbers wrong. Takes up to 1 GiB a node for the time.
///
/// Fails with `cancelled`, `out_of_memory`, as Context::open for folders, and with what a device reports.
[[nodiscard]] Result<CostModel> calibrate(const Context& context, const CalibrateOptions& options = {});

}  // namespace gpuio
