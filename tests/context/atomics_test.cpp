// SPDX-License-Identifier: Apache-2.0
// Atomic operations through the public API: launches on the host device, and DelegatedAtomics that the Context serves.
#include "gpuio/atomics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <thread>
#include <vector>

#include "gpuio/gpuio.hpp"

namespace gpuio::tests {
namespace {

using testing::HasSubstr;

class AtomicsTest : public testing::Test {
 protected:
  template <class T>
  Buffer memory(const std::vector<T>& values, RegionKind kind = RegionKind::device) {
    Buffer buffer = host_.allocate(values.size() * sizeof(T), {.kind = kind}).value();
    std::memcpy(buffer.data(), values.data(), buffer.size());
    return buffer;
  }
  static Pin pin(const Slice& slice) { return slice.pin().value(); }
  Status run(const UpdateLaunch& update) {
    const Stream stream = host_.create_stream().value();
    const Status launched = launch_update(stream, update);
    return launched.ok() ? stream.synchronize() : launched;
  }

  ContextOptions options_{Settings()};
  Context context_ = Context::create(options_).value();
  Device host_ = context_.device("host").value();
};

/// An UpdateLaunch of `count` additions to `words` words, and all that it refers to.
struct Additions {
  Additions(const Device& device, std::uint64_t words, std::uint64_t count)
      : words_buffer(device.allocate(words * 8).value()),
        operands_buffer(device.allocate(count * 8).value()),
        ids_buffer(device.allocate(count * 4).value()),
        status_buffer(device.allocate(4).value()),
        words_pin(Slice(words_buffer).pin().value()),
        operands(Slice(operands_buffer).pin().value()),
        ids(Slice(ids_buffer).pin().value()),
        status(Slice(status_buffer).pin().value()) {
    std::memset(words_buffer.data(), 0, words_buffer.size());
    std::memset(status_buffer.data(), 0, 4);
    const View<std::uint64_t> values = view<std::uint64_t>(operands).value();
    const View<std::uint32_t> indices = view<std::uint32_t>(ids).value();
    for (std::uint64_t i = 0; i < count; ++i) {
      values.store(i, 1 + i % 3);
      indices.store(i, static_cast<std::uint32_t>(i % words));
    }
    launch.words = &words_pin;
    launch.count = count;
    launch.ids = &ids;
    launch.operands = &operands;
    launch.status = &status;
  }

  [[nodiscard]] std::uint64_t sum() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t word : view<const std::uint64_t>(words_pin).value().span()) sum += word;
    return sum;
  }
  [[nodiscard]] std::uint64_t expected_sum() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t value : view<const std::uint64_t>(operands).value().span()) sum += value;
    return sum;
  }

  Buffer words_buffer, operands_buffer, ids_buffer, status_buffer;
  Pin words_pin, operands, ids, status;
  UpdateLaunch launch;
};

TEST_F(AtomicsTest, ALaunchAddsEveryOperandToItsWord) {
  Additions additions(host_, 100, 500'000);
  EXPECT_TRUE(run(additions.launch).ok());
  EXPECT_EQ(additions.sum(), additions.expected_sum());
  EXPECT_EQ(view<const std::uint32_t>(additions.status).value().load(0), 0U);
}

TEST_F(AtomicsTest, TwoStreamsUpdateTheSameWordsAtOnce) {
  Additions additions(host_, 3, 400'000);
  const Stream first = host_.create_stream().value();
  const Stream second = host_.create_stream().value();
  ASSERT_TRUE(launch_update(first, additions.launch).ok());
  ASSERT_TRUE(launch_update(second, additions.launch).ok());
  EXPECT_TRUE(first.synchronize().ok());
  EXPECT_TRUE(second.synchronize().ok());
  EXPECT_EQ(additions.sum(), 2 * additions.expected_sum());
}

TEST_F(AtomicsTest, ALaunchInAGraphIsDoneAtEveryReplay) {
  Additions additions(host_, 10, 1000);
  const Stream stream = host_.create_stream().value();
  ASSERT_TRUE(stream.begin_capture().ok());
  ASSERT_TRUE(launch_update(stream, additions.launch).ok());
  const Graph graph = stream.end_capture().value();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(graph.launch(stream).ok());
  EXPECT_TRUE(stream.synchronize().ok());
  EXPECT_EQ(additions.sum(), 4 * additions.expected_sum());
}

TEST_F(AtomicsTest, TheContextServesDelegatedOperations) {
  Additions additions(host_, 100, 20'000);
  const DelegatedAtomics delegated =
      DelegatedAtomics::create(context_, host_, additions.words_buffer, {.queues = 2, .slots = 64}).value();
  additions.launch.words = nullptr;
  additions.launch.delegate = &delegated;
  std::jthread beside([&] {
    const View<std::uint64_t> words = view<std::uint64_t>(additions.words_pin).value();
    for (int i = 0; i < 20'000; ++i) words.atomic(50).fetch_add(1, dev::Order::relaxed);
  });
  EXPECT_TRUE(run(additions.launch).ok());
  beside.join();
  EXPECT_EQ(additions.sum(), additions.expected_sum() + 20'000);
  EXPECT_EQ(view<const std::uint32_t>(additions.status).value().load(0), 0U);
  EXPECT_EQ(delegated.statistics().served, 20'000U);
  EXPECT_EQ(delegated.statistics().refused, 0U);
}

TEST_F(AtomicsTest, DelegatedWordsArePinnedAndTheirRingFreedInTheEnd) {
  Buffer words = memory(std::vector<std::uint64_t>(8));
  {
    const DelegatedAtomics delegated = DelegatedAtomics::create(context_, host_, words).value();
    EXPECT_EQ(words.free().code(), Code::busy);
    const dev::Delegate caller(delegated.ring());
    EXPECT_EQ(caller.perform<std::uint64_t>(AtomicOp::add, 7, 3), 0U);
    EXPECT_EQ(caller.perform<std::uint64_t>(AtomicOp::maximum, 7, 9), 3U);
  }
  EXPECT_EQ(reinterpret_cast<const std::uint64_t*>(words.data())[7], 9U);
  EXPECT_TRUE(words.free().ok());
}

TEST_F(AtomicsTest, DelegatesWithBadOptionsOrWordsAreRefused) {
  const Buffer words = memory(std::vector<std::uint64_t>(8));
  const auto refused = [&](const Slice& slice, const DelegateOptions& options) {
    return DelegatedAtomics::create(context_, host_, slice, options).error();
  };
  EXPECT_THAT(refused(words, {.queues = 0}).to_string(), HasSubstr("queues"));
  EXPECT_THAT(refused(words, {.slots = 100}).to_string(), HasSubstr("slots"));
  EXPECT_THAT(refused(words, {.slots = 32}).to_string(), HasSubstr("slots"));
  EXPECT_THAT(refused(words, {.timeout = std::chrono::nanoseconds(0)}).to_string(), HasSubstr("timeout"));
  EXPECT_THAT(refused(words.slice(4, 16).value(), {}).to_string(), HasSubstr("misaligned"));
  EXPECT_EQ(refused(Slice(), {}).code(), Code::closed);
  Buffer gone = memory(std::vector<std::uint64_t>(8));
  const Slice stale = gone;
  ASSERT_TRUE(gone.free().ok());
  EXPECT_EQ(refused(stale, {}).code(), Code::stale);
}

TEST_F(AtomicsTest, AKernelOfTheHostThatWouldWaitForItsOwnThreadIsRefused) {
  ContextOptions options{Settings(), Drive::caller};
  const Context alone = Context::create(options).value();
  const Device host = alone.device("host").value();
  const Buffer words = host.allocate(64).value();
  EXPECT_EQ(DelegatedAtomics::create(alone, host, words).error().code(), Code::unsupported);
}

TEST_F(AtomicsTest, BadLaunchesNameTheFieldAndChangeNothing) {
  Additions additions(host_, 10, 100);
  const auto refused = [&](const auto& change) {
    UpdateLaunch launch = additions.launch;
    change(launch);
    return run(launch).to_string();
  };
  const Pin empty;
  const Pin small = pin(additions.words_buffer.slice(0, 8).value());
  const Pin skewed = pin(additions.words_buffer.slice(4, 16).value());
  EXPECT_THAT(refused([](UpdateLaunch& launch) { launch.words = nullptr; }), HasSubstr("words"));
  EXPECT_THAT(refused([&](UpdateLaunch& launch) { launch.words = &empty; }), HasSubstr("words"));
  EXPECT_THAT(refused([&](UpdateLaunch& launch) { launch.words = &skewed; }), HasSubstr("words: misaligned"));
  EXPECT_THAT(refused([](UpdateLaunch& launch) { launch.scope = dev::Scope::pool; }), HasSubstr("words: no other"));
  EXPECT_THAT(refused([](UpdateLaunch& launch) { launch.operands = nullptr; }), HasSubstr("operands"));
  EXPECT_THAT(refused([&](UpdateLaunch& launch) { launch.operands = &small; }), HasSubstr("operands: too small"));
  EXPECT_THAT(refused([&](UpdateLaunch& launch) { launch.old = &small; }), HasSubstr("old: too small"));
  EXPECT_THAT(refused([&](UpdateLaunch& launch) { launch.ids = &empty; }), HasSubstr("ids"));
  EXPECT_THAT(refused([](UpdateLaunch& launch) { launch.status = nullptr; }), HasSubstr("status"));
  EXPECT_THAT(refused([](UpdateLaunch& launch) { launch.op = AtomicOp::compare_exchange; }), HasSubstr("expected"));
  EXPECT_THAT(refused([&](UpdateLaunch& launch) { launch.expected = &additions.operands; }), HasSubstr("expected"));
  EXPECT_THAT(refused([](UpdateLaunch& launch) { launch.count = ~std::uint64_t{0}; }), HasSubstr("count"));
  EXPECT_THAT(refused([](UpdateLaunch& launch) {
                launch.type = ValueType::f64;
                launch.op = AtomicOp::bit_or;
              }),
              HasSubstr("op"));
  EXPECT_EQ(additions.sum(), 0U);
}

TEST_F(AtomicsTest, MemoryOfAnotherReachAnswersByItsScope) {
  alignas(64) std::array<std::byte, 64> bytes{};
  const Buffer pool =
      host_
          .wrap(bytes.data(), bytes.size(),
                WrapOptions{.kind = RegionKind::user, .sharing = {.reach = Reach::pool, .coherent = false}})
          .value();
  const Slice words = pool;
  EXPECT_TRUE(words.atomics(Processor::host, dev::Scope::host, 64));
  EXPECT_FALSE(words.atomics(Processor::host, dev::Scope::pool, 64));
  const Pin hold = pin(pool);
  const View<std::uint64_t> numbers = view<std::uint64_t>(hold).value();
  EXPECT_FALSE(numbers.coherent());
  numbers.store(3, 5);
  numbers.release(3, 1);
  numbers.acquire(0, 8);
  EXPECT_EQ(numbers.load(3), 5U);
}

}  // namespace
}  // namespace gpuio::tests
