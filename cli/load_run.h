// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/context_flags.h"
#include "cli/limits_probe.h"
#include "cli/read_loop.h"
#include "cli/shell.h"
#include "cli/verify.h"
#include "gpuio/context.hpp"

namespace gpuio::cli {

struct LoadOptions {
  ContextFlags context;
  std::vector<std::string> paths;
  std::string device = "auto";
  std::string cache = "auto";
  std::uint64_t memory_bytes = 0;  ///< Of the device, at most; 0: what is free.
  unsigned repeat = 1;
  bool verify = true;
  bool compare = true;
  bool progress = true;
};

/// All that `gpuio load` found out.
struct LoadReport {
  DeviceInfo device;
  std::size_t files = 0;
  std::size_t tensors = 0;
  std::size_t empty_files = 0;
  std::size_t batches = 1;
  std::uint64_t bytes = 0;
  std::uint64_t resident_bytes = 0;  ///< In the page cache before the first run.
  bool past_cache = false;           ///< Asked to read everything from the disk, cached or not.
  std::vector<double> run_seconds;   ///< One per run: from submission to the last byte in place, batches summed.
  std::vector<PathUse> paths;        ///< Of the last run.
  std::optional<Measured> verified;  ///< Bytes compared and the time that took, all runs; absent: not asked for.
  std::optional<Difference> difference;
  std::optional<double> copy_rate;  ///< This machine's limits, bytes/s; absent: not asked for, or not to be had.
  std::optional<double> disk_rate;
  std::optional<Measured> loop;  ///< What a plain read loop gets.

  [[nodiscard]] double median_seconds() const;
  /// Bytes that have to come from the disk.
  [[nodiscard]] std::uint64_t disk_bytes() const noexcept;
};

/// Loads, verifies and compares. Files that were not in the page cache are put out of it again, before each measurement
/// and at the end. Throws gpuio::Error.
LoadReport run_load(const Shell& shell, const LoadOptions& options);

}  // namespace gpuio::cli
