// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "gpu/mem_rig.h"
#include "gpuio/launch.hpp"

namespace gpuio::bench {

enum class Move : bool { gather, scatter };

/// Random rows of a table in host memory to and from a GPU's, by Launches of ours.
class MemTable {
 public:
  /// A table of `kind` whose words all differ; up to `rows` rows of `row_bytes_max` move at a time.
  MemTable(const MemRig& rig, RegionKind kind, std::uint64_t bytes, std::uint64_t rows, std::uint64_t row_bytes_max);

  /// `launches` moves of all rows, as Launches or as replays of a graph; `set` says which random ids.
  Sample move(Move move, std::uint64_t row_bytes, unsigned set, unsigned launches, bool graph);

  /// Throws unless a gather brings, and a scatter leaves, the right bytes in the first rows.
  void verify(std::uint64_t row_bytes);

 private:
  struct Ids {
    std::vector<std::uint32_t> host;
    Buffer buffer;
    Pin pin;
  };

  Ids& ids_of(std::uint64_t row_bytes, unsigned set);
  [[nodiscard]] Status launch(Move move, std::uint64_t row_bytes, const Pin& ids, std::uint64_t rows) const;
  void upload(const void* bytes, const Slice& destination) const;
  void verify_gather(std::uint64_t row_bytes, const Ids& ids, std::uint64_t rows) const;

  const MemRig& rig_;
  std::uint64_t rows_;
  Buffer table_;
  Buffer packed_;
  Buffer status_;
  Pin table_pin_;
  Pin packed_pin_;
  Pin status_pin_;
  Stream stream_;
  std::map<std::pair<std::uint64_t, unsigned>, Ids> ids_;
  std::map<std::tuple<Move, std::uint64_t, unsigned>, Graph> graphs_;
};

}  // namespace gpuio::bench
