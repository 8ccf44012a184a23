// SPDX-License-Identifier: Apache-2.0
// core.submit: what the core costs a Request, with an engine that does nothing.

#include <array>
#include <vector>

#include "cpu/measurements.h"
#include "harness/alternate.h"
#include "tests/support/allocation_count.h"
#include "tests/support/fake_context.h"

namespace gpuio::bench {
namespace {

constexpr std::uint64_t kExtentBytes = 4096;
constexpr std::uint64_t kStrideBytes = 65536;  ///< Wider than scheduler.coalesce_gap_bytes: no extents are joined.
constexpr std::uint64_t kStoreBytes = std::uint64_t{1} << 40;
constexpr std::size_t kBatch = 64;
constexpr std::uint64_t kRequests = 1'000'000;
constexpr std::uint64_t kCountedRequests = 64 * kBatch;

struct NullStore {
  tests::FakeContext fake;
  Store store;
  Buffer memory;
};

NullStore make_null_store(std::uint64_t extents_per_request, Drive drive = Drive::threads) {
  tests::FakeContext fake = tests::make_fake_context({}, drive);
  tests::FakeStore::Behaviour behaviour;
  behaviour.size_bytes = kStoreBytes;
  behaviour.way = spi::Way::queued;
  behaviour.copies_bytes = false;
  static_cast<void>(fake.engine->add("null", behaviour));
  Store store = fake.context.open("fake://null").value();
  Buffer memory = fake.context.device("host").value().allocate(extents_per_request * kExtentBytes).value();
  return {std::move(fake), std::move(store), std::move(memory)};
}

void wait_for(std::vector<Request>& requests) {
  for (const Request& request : requests) throw_if_failed(request.wait());
  requests.clear();
}

/// Batches of 64 one after another; some are under way while the next is filled, as a program that keeps a queue would.
void submit_all(const NullStore& null, std::uint64_t requests, std::uint64_t extents_per_request) {
  std::array<std::vector<Request>, 16> flying;
  for (std::vector<Request>& batch : flying) batch.reserve(kBatch);
  Batch batch = null.fake.context.batch();
  std::uint64_t offset = 0;
  for (std::uint64_t turn = 0; turn < requests / kBatch; ++turn) {
    std::vector<Request>& mine = flying[turn % flying.size()];
    wait_for(mine);
    for (std::size_t i = 0; i < kBatch; ++i) {
      const Layout extents = extents_per_request == 1
                                 ? Layout::contiguous(offset, kExtentBytes)
                                 : Layout::strided({offset, kExtentBytes, kStrideBytes, extents_per_request});
      mine.push_back(batch.read(null.store, extents, null.memory).value());
      offset = (offset + extents_per_request * kStrideBytes) % (kStoreBytes / 2);
    }
    throw_if_failed(batch.submit());
  }
  for (std::vector<Request>& rest : flying) wait_for(rest);
}

double allocations_per_request(std::uint64_t extents_per_request) {
  // On one thread the count is exact: what a thread keeps to use again does not depend on who was quicker.
  const NullStore null = make_null_store(extents_per_request, Drive::caller);
  submit_all(null, kCountedRequests, extents_per_request);  // Queues and pools grow to their size once.
  const tests::AllocationCount count;
  submit_all(null, kCountedRequests, extents_per_request);
  return static_cast<double>(count.so_far()) / static_cast<double>(kCountedRequests);
}

Contender submitter(std::string name, const NullStore& null) {
  return {std::move(name), [&null](unsigned) {
            return timed([&](Sample& sample) {
              submit_all(null, kRequests, 1);
              sample.operations = kRequests / kBatch * kBatch;
            });
          }};
}

}  // namespace

void submit(const Options& options, Samples& samples) {
  const NullStore by_threads = make_null_store(1);
  const NullStore by_caller = make_null_store(1, Drive::caller);
  // Many: for seconds at a time a machine of two processors hands over three times as slowly, wherever it placed them.
  alternate(samples, {submitter("gpuio", by_threads), submitter("gpuio, driven by its caller", by_caller)},
            options.rounds_or(30));

  constexpr std::uint64_t kManyExtents = 64;
  const double of_one = allocations_per_request(1);
  const double of_many = allocations_per_request(kManyExtents);
  samples.add("allocations", 0,
              {{"per_request", of_one}, {"per_extent", (of_many - of_one) / static_cast<double>(kManyExtents - 1)}});
}

}  // namespace gpuio::bench
