// SPDX-License-Identifier: Apache-2.0
// mem.rows: random rows of a large table gathered by host threads, against loops by hand with as many threads.

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>
#include <vector>

#include <fmt/core.h>

#include "base/random.h"
#include "cpu/measurements.h"
#include "cpu/memory_loops.h"
#include "gpuio/launch.hpp"
#include "harness/alternate.h"
#include "harness/in_parts.h"

namespace gpuio::bench {
namespace {

constexpr std::uint64_t kRowsMax = 1'000'000;
constexpr std::uint64_t kPackedBytesMax = 256U << 20U;

/// One size of rows: the same ids for all contenders.
class Rows {
 public:
  Rows(const Context& io, const Buffer& table, std::uint64_t row_bytes)
      : io_(io),
        host_(io.device("host").value()),
        stream_(host_.create_stream().value()),
        table_(table),
        row_bytes_(row_bytes) {
    const std::uint64_t count = std::min({kRowsMax, kPackedBytesMax / row_bytes, table.size() / row_bytes});
    ids_ = host_.allocate(count * sizeof(std::uint64_t)).value();
    packed_ = host_.allocate(count * row_bytes).value();
    status_ = host_.allocate(sizeof(std::uint32_t)).value();
    std::memset(packed_.data(), 1, packed_.size());
    std::memset(status_.data(), 0, status_.size());
    base::Random random(row_bytes);
    job_ = {table.data(), {reinterpret_cast<std::uint64_t*>(ids_.data()), count}, packed_.data(), row_bytes};
    for (std::uint64_t i = 0; i < count; ++i) {
      reinterpret_cast<std::uint64_t*>(ids_.data())[i] = random.uniform(table.size() / row_bytes);
    }
    pins_ = {Slice(table_).pin().value(), Slice(ids_).pin().value(), Slice(packed_).pin().value(),
             Slice(status_).pin().value()};
    layout_ = Layout::rows({0, row_bytes, 0, {job_.ids.begin(), job_.ids.end()}});
  }

  [[nodiscard]] Sample launch() const {
    return timed([&](Sample& sample) {
      throw_if_failed(launch_gather(stream_, {.table = &pins_[0],
                                              .row_bytes = row_bytes_,
                                              .ids = &pins_[1],
                                              .id_type = IdType::u64,
                                              .count = job_.ids.size(),
                                              .packed = &pins_[2],
                                              .status = &pins_[3]}));
      throw_if_failed(stream_.synchronize());
      count(sample);
    });
  }

  [[nodiscard]] Sample request() const {
    return timed([&](Sample& sample) {
      throw_if_failed(io_.copy(table_, layout_, packed_, Layout()).value().wait());
      count(sample);
    });
  }

  template <class Loop>
  [[nodiscard]] Sample by_hand(const Loop& loop) const {
    const unsigned threads = std::max(1U, std::thread::hardware_concurrency());
    return timed([&](Sample& sample) {
      in_parts(job_.ids.size(), threads, [&](std::size_t begin, std::size_t end) { loop(job_, begin, end); });
      count(sample);
    });
  }

 private:
  void count(Sample& sample) const {
    sample.bytes = packed_.size();
    sample.operations = job_.ids.size();
  }

  const Context& io_;
  Device host_;
  Stream stream_;
  const Buffer& table_;
  std::uint64_t row_bytes_;
  Buffer ids_;
  Buffer packed_;
  Buffer status_;
  RowJob job_;
  std::array<Pin, 4> pins_;
  Layout layout_;
};

}  // namespace

void memory_rows(const Options& options, Samples& samples) {
  const Context io = make_context();
  const Buffer table = io.device("host").value().allocate(options.file_bytes_or(std::uint64_t{2} << 30U)).value();
  std::memset(table.data(), 3, table.size());
  for (const std::uint64_t row_bytes : {128U, 512U, 4096U}) {
    const Rows rows(io, table, row_bytes);
    const auto name = [&](std::string_view who) { return fmt::format("{}, {} B", who, row_bytes); };
    std::vector<Contender> forms;
    for (const std::size_t ahead : {4U, 8U, 32U}) {
      for (const std::size_t row_bytes_max : {std::size_t{128}, std::size_t{512}, std::size_t{4096}}) {
        for (const bool second_level : {false, true}) {
          if (row_bytes_max > row_bytes) continue;
          const Fetch fetch{ahead, row_bytes_max, second_level};
          const std::string form =
              fmt::format("{} B fetched {} rows ahead, level {}", row_bytes_max, ahead, second_level ? 2 : 1);
          forms.push_back({name(form), [&rows, fetch](unsigned) {
                             return rows.by_hand([fetch](const RowJob& job, std::size_t begin, std::size_t end) {
                               gather_prefetched(job, begin, end, fetch);
                             });
                           }});
        }
      }
    }
    Contender prefetched = best_of(samples, forms);
    prefetched.name = name("prefetched loop");
    alternate(samples,
              {{name("gpuio"), [&](unsigned) { return rows.launch(); }},
               {name("gpuio, as a Request"), [&](unsigned) { return rows.request(); }},
               {name("plain loop"), [&](unsigned) { return rows.by_hand(gather_plainly); }},
               std::move(prefetched)},
              options.rounds_or(20));
  }
}

}  // namespace gpuio::bench
