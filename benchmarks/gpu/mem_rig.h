// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/alternate.h"
#include "harness/child.h"
#include "harness/measurement.h"

namespace gpuio::bench {

/// What every measurement of memory on a GPU has: a Context, the GPU, and the peers, which start when first asked. A
/// peer that can't take part (no GPU, no package) is left out with a line on stderr, and its bars have no result then.
class MemRig {
 public:
  /// `table_bytes`: of the peers' tables.
  MemRig(const Options& options, Samples& samples, std::uint64_t table_bytes);

  [[nodiscard]] const Context& io() const noexcept { return io_; }
  [[nodiscard]] const Device& gpu() const noexcept { return gpu_; }

  /// What a peer is to be asked for a sample of one pair.
  using RequestOf = std::function<std::string(unsigned pair)>;
  /// A contender played by loops and kernels written by hand, see peers/mem_ways.cpp.
  [[nodiscard]] Contender way(std::string name, RequestOf request);
  /// A contender played by torch, see peers/mem_torch.py.
  [[nodiscard]] Contender torch(std::string name, RequestOf request);

  /// Adds the best of `forms` as `name` to those who take part, if any of them works.
  void join(std::vector<Contender>& contenders, const std::string& name, const std::vector<Contender>& forms);

 private:
  [[nodiscard]] static Contender played_by(std::unique_ptr<Peer>& peer, const Arguments& program, std::string name,
                                           RequestOf request);

  Samples& samples_;
  Arguments ways_program_;
  Arguments torch_program_;
  Context io_;
  Device gpu_;
  std::unique_ptr<Peer> ways_;
  std::unique_ptr<Peer> torch_;
};

/// Touches up to half of the memory that is free, and gives it back: a virtual machine's first touch of a page is the
/// host's to pay for, and would fall on whoever comes first.
void touch_the_machines_memory();

}  // namespace gpuio::bench
