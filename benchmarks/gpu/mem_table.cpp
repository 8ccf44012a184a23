// SPDX-License-Identifier: Apache-2.0
#include "gpu/mem_table.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <stdexcept>
#include <thread>

#include <fmt/core.h>

namespace gpuio::bench {
namespace {

constexpr std::uint64_t kVerifiedRows = 1000;

/// Words that all differ, by all cores; for mapped memory this is the first touch.
void fill(std::byte* memory, std::uint64_t bytes) {
  const std::uint64_t workers = std::max(1U, std::thread::hardware_concurrency());
  auto* words = reinterpret_cast<std::uint64_t*>(memory);
  std::vector<std::jthread> all;
  all.reserve(workers);
  for (std::uint64_t worker = 0; worker < workers; ++worker) {
    all.emplace_back([=] {
      const std::uint64_t end = bytes / 8 * (worker + 1) / workers;
      for (std::uint64_t i = bytes / 8 * worker / workers; i < end; ++i) words[i] = (i + 1) * 0x9e3779b97f4a7c15U;
    });
  }
}

Pin pinned(const Buffer& buffer) { return Slice(buffer).pin().value(); }

}  // namespace

MemTable::MemTable(const MemRig& rig, RegionKind kind, std::uint64_t bytes, std::uint64_t rows,
                   std::uint64_t row_bytes_max)
    : rig_(rig),
      rows_(rows),
      table_(rig.gpu().allocate(bytes, {.kind = kind}).value()),
      packed_(rig.gpu().allocate(rows * row_bytes_max).value()),
      status_(rig.gpu().allocate(4096, {.kind = RegionKind::pinned}).value()),
      table_pin_(pinned(table_)),
      packed_pin_(pinned(packed_)),
      status_pin_(pinned(status_)),
      stream_(rig.gpu().create_stream().value()) {
  fill(table_.data(), bytes);
  std::memset(status_.data(), 0, status_.size());
}

void MemTable::upload(const void* bytes, const Slice& destination) const {
  const Buffer copy = rig_.io().device("host").value().allocate(destination.size()).value();
  std::memcpy(copy.data(), bytes, copy.size());
  throw_if_failed(rig_.io().copy(copy, destination).value().wait());
}

MemTable::Ids& MemTable::ids_of(std::uint64_t row_bytes, unsigned set) {
  Ids& ids = ids_[{row_bytes, set}];
  if (ids.host.empty()) {
    std::mt19937_64 random(set + 1);
    ids.host.resize(rows_);
    for (std::uint32_t& id : ids.host) id = static_cast<std::uint32_t>(random() % (table_.size() / row_bytes));
    ids.buffer = rig_.gpu().allocate(rows_ * sizeof(std::uint32_t)).value();
    ids.pin = pinned(ids.buffer);
    upload(ids.host.data(), ids.buffer);
  }
  return ids;
}

Status MemTable::launch(Move move, std::uint64_t row_bytes, const Pin& ids, std::uint64_t rows) const {
  const RowLaunch launch{.table = &table_pin_,
                         .row_bytes = row_bytes,
                         .ids = &ids,
                         .count = rows,
                         .packed = &packed_pin_,
                         .status = &status_pin_};
  return move == Move::gather ? launch_gather(stream_, launch) : launch_scatter(stream_, launch);
}

Sample MemTable::move(Move move, std::uint64_t row_bytes, unsigned set, unsigned launches, bool graph) {
  const Pin& ids = ids_of(row_bytes, set).pin;
  const auto key = std::tuple(move, row_bytes, set);
  if (graph && !graphs_.contains(key)) {
    throw_if_failed(stream_.begin_capture());
    throw_if_failed(launch(move, row_bytes, ids, rows_));
    graphs_.emplace(key, stream_.end_capture().value());
  }
  // Another process may have had the GPU: it is ours again when the clock starts.
  throw_if_failed(launch(move, row_bytes, ids, std::min(kVerifiedRows, rows_)));
  throw_if_failed(stream_.synchronize());
  return timed([&](Sample& sample) {
    for (unsigned i = 0; i < launches; ++i) {
      throw_if_failed(graph ? graphs_.at(key).launch(stream_) : launch(move, row_bytes, ids, rows_));
    }
    throw_if_failed(stream_.synchronize());
    sample.operations = rows_ * launches;
    sample.bytes = sample.operations * row_bytes;
  });
}

void MemTable::verify_gather(std::uint64_t row_bytes, const Ids& ids, std::uint64_t rows) const {
  const Buffer got = rig_.io().device("host").value().allocate(rows * row_bytes).value();
  throw_if_failed(rig_.io().copy(packed_.slice(0, got.size()).value(), got).value().wait());
  for (std::uint64_t i = 0; i < rows; ++i) {
    const std::byte* row = table_.data() + std::uint64_t{ids.host[i]} * row_bytes;
    if (std::memcmp(got.data() + i * row_bytes, row, row_bytes) != 0) {
      throw std::runtime_error(fmt::format("row {} of {} bytes arrived wrong", i, row_bytes));
    }
  }
}

void MemTable::verify(std::uint64_t row_bytes) {
  const Ids& ids = ids_of(row_bytes, 0);
  const std::uint64_t rows = std::min(kVerifiedRows, rows_);
  const std::vector<std::byte> sent(rows * row_bytes, std::byte{0x5a});
  upload(sent.data(), packed_.slice(0, sent.size()).value());
  throw_if_failed(launch(Move::scatter, row_bytes, ids.pin, rows));
  throw_if_failed(stream_.synchronize());
  for (std::uint64_t i = 0; i < rows; ++i) {
    const std::byte* row = table_.data() + std::uint64_t{ids.host[i]} * row_bytes;
    if (std::memcmp(row, sent.data(), row_bytes) != 0) {
      throw std::runtime_error(fmt::format("row {} of {} bytes was scattered wrong", i, row_bytes));
    }
  }
  // Last, so that what scatters send later is not all the same.
  throw_if_failed(launch(Move::gather, row_bytes, ids.pin, rows_));
  throw_if_failed(stream_.synchronize());
  verify_gather(row_bytes, ids, rows);
  std::uint32_t status = 0;
  std::memcpy(&status, status_.data(), sizeof(status));
  if (status != 0) throw std::runtime_error("an id was taken for one outside the table");
}

}  // namespace gpuio::bench
