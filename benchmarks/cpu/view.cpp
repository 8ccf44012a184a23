// SPDX-License-Identifier: Apache-2.0
// mem.view: loads and stores through a View in a loop, against the same loop through a pointer.

#include "gpuio/view.hpp"
#include "cpu/measurements.h"
#include "harness/alternate.h"

namespace gpuio::bench {
namespace {

constexpr std::uint64_t kElements = 1 << 15;  // 256 KiB: in the cache, where an instruction more would show.

/// What nobody may take out of the loop.
void keep(std::uint64_t value) { asm volatile("" : : "r"(value) : "memory"); }

/// Not inlined, so that both loops are compiled without knowing what they are called with.
[[gnu::noinline]] std::uint64_t sum_by_pointer(const std::uint64_t* data, const std::uint32_t* order,
                                               std::uint64_t count) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < count; ++i) sum += data[order[i]];
  return sum;
}
[[gnu::noinline]] std::uint64_t sum_by_view(View<const std::uint64_t> data, View<const std::uint32_t> order) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < order.size(); ++i) sum += data.load(order.load(i));
  return sum;
}
[[gnu::noinline]] void update_by_pointer(std::uint64_t* data, std::uint64_t count, std::uint64_t step) {
  for (std::uint64_t i = 0; i < count; ++i) data[i] = data[i] * 3 + step;
}
[[gnu::noinline]] void update_by_view(View<std::uint64_t> data, std::uint64_t step) {
  for (std::uint64_t i = 0; i < data.size(); ++i) data.store(i, data.load(i) * 3 + step);
}

template <class Loop>
Contender contender(std::string name, unsigned turns, const Loop& loop) {
  return {std::move(name), [turns, loop](unsigned) {
            return timed([&](Sample& sample) {
              for (unsigned turn = 0; turn < turns; ++turn) loop(turn);
              sample.operations = turns * kElements;
            });
          }};
}

}  // namespace

void view_loops(const Options& options, Samples& samples) {
  const Context io = make_context();
  const Device host = io.device("host").value();
  const Buffer data_buffer = host.allocate(kElements * sizeof(std::uint64_t)).value();
  const Buffer order_buffer = host.allocate(kElements * sizeof(std::uint32_t)).value();
  const Pin data_pin = Slice(data_buffer).pin().value();
  const Pin order_pin = Slice(order_buffer).pin().value();
  const View<std::uint64_t> data = view<std::uint64_t>(data_pin).value();
  const View<std::uint32_t> order = view<std::uint32_t>(order_pin).value();
  for (std::uint64_t i = 0; i < kElements; ++i) {
    data.store(i, i);
    order.store(i, static_cast<std::uint32_t>(i * 7919 % kElements));
  }
  std::uint64_t* const raw = data.span().data();
  const std::uint32_t* const raw_order = order.span().data();

  constexpr unsigned kTurns = 400;
  alternate(samples,
            {contender("view, loads", kTurns, [=](unsigned) { keep(sum_by_view(data, order)); }),
             contender("pointer, loads", kTurns, [=](unsigned) { keep(sum_by_pointer(raw, raw_order, kElements)); }),
             contender("view, stores", kTurns, [=](unsigned turn) { update_by_view(data, turn); }),
             contender("pointer, stores", kTurns, [=](unsigned turn) { update_by_pointer(raw, kElements, turn); })},
            options.rounds_or(50));
}

}  // namespace gpuio::bench
