// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "engine/mem/pool/directory.h"
#include "engine/mem/pool/format.h"
#include "engine/mem/pool/lease.h"
#include "gpuio/pool.hpp"

namespace gpuio::pool {

/// Reads a whole pool and holds each part against the others: Pool::verify. Thread safety: none.
template <class Access>
class Verifier {
 public:
  Verifier(Access& access, const Geometry& geometry)
      : access_(access), geometry_(geometry), directory_(access, geometry) {}

  [[nodiscard]] PoolReport run() {
    for (std::uint32_t rank = 0; rank < geometry_.members; ++rank) {
      const RankLines lines = read_rank(access_, geometry_, rank);
      if (!lines.claim_readable) find(rank, "the claim can't be read");
      if (!lines.beat_readable) find(rank, "the beat can't be read");
      // Done by the fence of the first header that is read.
      access_.template invalidate<"verify.area.invalidate">(geometry_.area(rank), geometry_.area_bytes);
      for (std::uint32_t slot = 0; slot < geometry_.slots; ++slot) visit(rank, slot);
    }
    check_extents();
    return std::move(report_);
  }

 private:
  static constexpr std::size_t kFindingsMax = 100;
  struct Extent {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    std::string name;
  };

  void find(std::uint32_t rank, std::string_view what) {
    if (report_.findings.size() < kFindingsMax) report_.findings.push_back(fmt::format("rank {}: {}", rank, what));
  }

  void visit(std::uint32_t rank, std::uint32_t slot) {
    const std::optional<SlotHeader> header = directory_.header(rank, slot);
    if (!header) return find(rank, fmt::format("slot {} can't be read", slot));
    if (header->state == SlotState::intent) ++report_.unfinished;
    if (header->state != SlotState::published) return;
    const Found found{rank, slot, *header};
    std::string name = directory_.name_of(found);
    Lookup lookup;
    directory_.find_in(rank, name, header->name_hash, lookup);
    const bool named = hash_name(name) == header->name_hash;
    if (named && !lookup.published()) {
      ++report_.unfinished;  // Being removed, or its member died while it did.
      return;
    }
    const Status bytes = directory_.check(found);
    if (bytes.code() == Code::stale) return;  // Removed meanwhile.
    ++report_.objects;
    report_.object_bytes += header->bytes;
    if (!bytes.ok()) find(rank, fmt::format("'{}': {}", name, bytes.message()));
    if (!named) {
      find(rank, fmt::format("slot {}: the name is not the one that was published", slot));
    } else {
      check_name(found, name);
    }
    check_chunks(found, name);
    extents_.push_back({header->offset, geometry_.extent_bytes(header->bytes), std::move(name)});
  }

  void check_name(const Found& found, const std::string& name) {
    const auto [other, is_new] = names_.emplace(name, found.rank);
    if (!is_new) find(found.rank, fmt::format("'{}' is at rank {} too", name, other->second));
  }

  void check_chunks(const Found& found, const std::string& name) {
    const std::uint64_t last = found.header.offset + geometry_.extent_bytes(found.header.bytes) - 1;
    for (std::uint64_t chunk = geometry_.chunk_of(found.header.offset); chunk <= geometry_.chunk_of(last); ++chunk) {
      const std::uint64_t word = access_.load(geometry_.ownership(found.rank, chunk / 64));
      if ((word >> chunk % 64 & 1) == 0)
        find(found.rank, fmt::format("'{}' lies in a chunk that the rank lacks", name));
    }
  }

  void check_extents() {
    std::ranges::sort(extents_, {}, &Extent::offset);
    for (std::size_t i = 1; i < extents_.size(); ++i) {
      if (extents_[i - 1].offset + extents_[i - 1].bytes <= extents_[i].offset) continue;
      if (report_.findings.size() == kFindingsMax) return;
      report_.findings.push_back(fmt::format("'{}' and '{}' overlap", extents_[i - 1].name, extents_[i].name));
    }
  }

  Access& access_;
  const Geometry& geometry_;
  Directory<Access> directory_;
  PoolReport report_;
  std::vector<Extent> extents_;
  std::map<std::string, std::uint32_t> names_;
};

}  // namespace gpuio::pool
