// SPDX-License-Identifier: Apache-2.0
// mem.atomic: an uncontended atomic of a View on host memory, against std::atomic; and the same operation delegated.

#include <atomic>

#include "cpu/measurements.h"
#include "gpuio/atomics.hpp"
#include "gpuio/dev/delegate.h"
#include "gpuio/view.hpp"
#include "harness/alternate.h"

namespace gpuio::bench {
namespace {

constexpr std::uint64_t kOperations = 2'000'000;

template <class Operation>
Contender contender(std::string name, std::uint64_t operations, const Operation& operation) {
  return {std::move(name), [operations, operation](unsigned) {
            return timed([&](Sample& sample) {
              for (std::uint64_t i = 0; i < operations; ++i) operation(i);
              sample.operations = operations;
            });
          }};
}

}  // namespace

void atomic_words(const Options& options, Samples& samples) {
  const Context io = make_context();
  const Device host = io.device("host").value();
  const Buffer buffer = host.allocate(4096).value();
  const Pin pin = Slice(buffer).pin().value();
  const View<std::uint64_t> words = view<std::uint64_t>(pin).value();
  for (std::uint64_t& word : words.span()) word = 0;
  const DelegatedAtomics delegated = DelegatedAtomics::create(io, host, buffer).value();
  const dev::Delegate delegate(delegated.ring());
  std::atomic<std::uint64_t> standard{0};
  std::atomic<std::uint64_t>* const word = &standard;

  constexpr std::uint64_t kDelegated = 2000;
  alternate(samples,
            {contender("view, fetch_add", kOperations, [words](std::uint64_t i) { words.atomic(8).fetch_add(i); }),
             contender("std::atomic, fetch_add", kOperations,
                       [word](std::uint64_t i) { word->fetch_add(i, std::memory_order_acq_rel); }),
             contender("view, compare_exchange", kOperations,
                       [words](std::uint64_t i) {
                         std::uint64_t expected = i;
                         words.atomic(8).compare_exchange(expected, i + 1);
                       }),
             contender("std::atomic, compare_exchange", kOperations,
                       [word](std::uint64_t i) {
                         std::uint64_t expected = i;
                         word->compare_exchange_strong(expected, i + 1, std::memory_order_acq_rel,
                                                       std::memory_order_acquire);
                       }),
             contender("delegated, fetch_add", kDelegated,
                       [delegate](std::uint64_t i) { delegate.perform<std::uint64_t>(dev::AtomicOp::add, 16, i); })},
            options.rounds_or(50));
}

}  // namespace gpuio::bench
