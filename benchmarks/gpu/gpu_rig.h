// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "harness/alternate.h"
#include "harness/child.h"
#include "harness/measurement.h"

namespace gpuio::bench {

constexpr std::uint64_t kModelBytes = std::uint64_t{8} << 30;

/// What every measurement on a GPU has: a file, a Context, memory on the GPU as large as the file, and the peer that
/// knows the link's limit.
class GpuRig {
 public:
  GpuRig(const Options& options, std::filesystem::path path, const std::map<std::string, std::string>& settings = {});

  [[nodiscard]] const Context& io() const noexcept { return io_; }
  [[nodiscard]] const Device& gpu() const noexcept { return gpu_; }
  [[nodiscard]] const Store& file() const noexcept { return file_; }
  [[nodiscard]] const Buffer& memory() const noexcept { return memory_; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  /// The whole file into `memory`.
  Sample load();
  /// A contender played by the peer of hand-written loops, see peers/gpu_ways.cpp.
  [[nodiscard]] Contender way(std::string name, std::string request);
  /// A contender played by a Python package, see peers/peers.py. The process starts with the first of them.
  [[nodiscard]] Contender package(std::string name, std::string request);
  /// The best of KvikIO's forms, over its threads and task sizes, at `operation`: "read" or "write".
  [[nodiscard]] Contender kvikio_at_its_best(Samples& samples, const std::string& operation, const std::string& rest);

  /// Throws unless the GPU's memory holds the file's bytes, at a hundred places.
  void verify() const;
  /// Notes how much was pinned and left registered, and what the budgets were.
  void add_budgets(Samples& samples) const;

 private:
  std::filesystem::path path_;
  Arguments python_;
  Context io_;
  Device gpu_;
  Store file_;
  Buffer memory_;
  Peer ways_;
  std::unique_ptr<Peer> packages_;
};

}  // namespace gpuio::bench
