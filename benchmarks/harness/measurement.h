// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "gpuio/context.hpp"
#include "harness/samples.h"

namespace gpuio::bench {

/// How a measurement is to be run, from the command line.
struct Options {
  std::filesystem::path disk;      ///< A folder on a real file system.
  std::filesystem::path tmpfs;     ///< A folder in memory.
  std::filesystem::path programs;  ///< Folder of the peers that are compiled.
  std::filesystem::path peers;     ///< Folder of the peers in Python.
  std::string python = "python3";  ///< Has their packages.
  std::string device = "cuda:0";   ///< Of the measurements that need a GPU; `host` tries those of memory without one.
  unsigned rounds = 0;             ///< 0: as many as the measurement wants.
  double slice_seconds = 1;        ///< Of slices that run for a time.
  std::uint64_t file_bytes = 0;    ///< Of files and tables. 0: as large as the measurement wants.

  [[nodiscard]] unsigned rounds_or(unsigned wanted) const { return rounds != 0 ? rounds : wanted; }
  [[nodiscard]] std::uint64_t file_bytes_or(std::uint64_t wanted) const {
    return file_bytes != 0 ? file_bytes : wanted;
  }
};

/// One program of the suite; the bars of bars.toml are worked out from its samples. Throws where it can't be done.
struct Measurement {
  std::string_view id;
  bool needs_gpu;
  void (*run)(const Options& options, Samples& samples);
};

/// All there are, in the order of bars.toml.
[[nodiscard]] std::span<const Measurement> measurements();

/// A Context with the default settings but for those given: neither file nor environment can bend a result.
[[nodiscard]] Context make_context(const std::map<std::string, std::string>& settings = {});

}  // namespace gpuio::bench
