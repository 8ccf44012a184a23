// SPDX-License-Identifier: Apache-2.0
#include "core/view/atomics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <thread>
#include <vector>

#include "base/random.h"
#include "core/spi/forwarding_device.h"
#include "core/testing/fake_device.h"
#include "gpuio/dev/atomics.h"

namespace gpuio::core {
namespace {

using dev::Atomic;
using dev::AtomicOp;
using dev::Order;
using dev::Scope;
using testing::HasSubstr;

template <class T>
class Atomics : public testing::Test {};
using Words = testing::Types<std::int32_t, std::uint32_t, std::int64_t, std::uint64_t, float, double>;
TYPED_TEST_SUITE(Atomics, Words);

/// What an operation leaves, by plain arithmetic.
template <class T>
T plainly(AtomicOp op, T word, T operand, T expected) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  const auto bits = [](T value) { return static_cast<Bits>(dev::to_bits(value)); };
  const auto of = [](Bits value) { return dev::from_bits<T>(value); };
  const auto wrapping = [&](Bits value) { return std::is_integral_v<T> ? of(value) : T{}; };
  switch (op) {
    case AtomicOp::add:
      return std::is_integral_v<T> ? wrapping(bits(word) + bits(operand)) : word + operand;
    case AtomicOp::subtract:
      return std::is_integral_v<T> ? wrapping(bits(word) - bits(operand)) : word - operand;
    case AtomicOp::minimum:
      return std::min(word, operand);
    case AtomicOp::maximum:
      return std::max(word, operand);
    case AtomicOp::bit_and:
      return of(bits(word) & bits(operand));
    case AtomicOp::bit_or:
      return of(bits(word) | bits(operand));
    case AtomicOp::bit_xor:
      return of(bits(word) ^ bits(operand));
    case AtomicOp::exchange:
      return operand;
    case AtomicOp::compare_exchange:
      return bits(word) == bits(expected) ? operand : word;
  }
  return word;
}

template <class T>
T random_word(base::Random& random) {
  // Few values, so that comparisons come out either way; and the extremes, where arithmetic wraps.
  if constexpr (std::is_integral_v<T>) {
    if (random.chance(0.1)) return std::numeric_limits<T>::max();
    if (random.chance(0.1)) return std::numeric_limits<T>::min();
  }
  return static_cast<T>(random.uniform(8));
}

TYPED_TEST(Atomics, EveryOperationDoesWhatPlainArithmeticDoesAndReturnsWhatWas) {
  base::Random random(7);
  TypeParam word{};
  TypeParam model{};
  for (int step = 0; step < 20'000; ++step) {
    const auto op = static_cast<AtomicOp>(random.uniform(9));
    if (!dev::applies(op, dev::value_type<TypeParam>())) continue;
    const auto operand = random_word<TypeParam>(random);
    const auto expected = random_word<TypeParam>(random);
    const auto order = static_cast<Order>(random.uniform(5));
    ASSERT_EQ(dev::apply<Scope::process>(op, word, operand, expected, order), model) << "step " << step;
    model = plainly(op, model, operand, expected);
    ASSERT_EQ(word, model) << "step " << step << " operation " << static_cast<int>(op);
  }
}

TYPED_TEST(Atomics, OperationsThatDoNotApplyLeaveTheWord) {
  TypeParam word{5};
  for (int op = 0; op < 12; ++op) {
    if (dev::applies(static_cast<AtomicOp>(op), dev::value_type<TypeParam>())) continue;
    EXPECT_EQ(dev::apply<Scope::device>(static_cast<AtomicOp>(op), word, TypeParam{1}, TypeParam{5}, Order::relaxed),
              TypeParam{5});
    EXPECT_EQ(word, TypeParam{5});
  }
}

TYPED_TEST(Atomics, ThreadsTogetherLoseNothing) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 5000;
  TypeParam sum{};
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&] {
        for (int i = 0; i < kRounds; ++i) Atomic<TypeParam>(sum).fetch_add(TypeParam{2}, Order::relaxed);
        for (int i = 0; i < kRounds; ++i) Atomic<TypeParam>(sum).fetch_sub(TypeParam{1}, Order::relaxed);
      });
    }
  }
  EXPECT_EQ(sum, static_cast<TypeParam>(kThreads * kRounds));
}

TEST(AtomicsOfThreads, CompareExchangeCountsEveryTurnOnce) {
  std::uint64_t word = 0;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&word] {
        for (int i = 0; i < 5000; ++i) {
          const Atomic<std::uint64_t> counter(word);
          std::uint64_t seen = counter.load(Order::relaxed);
          while (!counter.compare_exchange(seen, seen + 1)) {
          }
        }
      });
    }
  }
  EXPECT_EQ(word, 20'000U);
}

TEST(AtomicsOfThreads, MinimumAndMaximumAreOverAll) {
  std::int64_t least = 0;
  std::int64_t most = 0;
  {
    std::vector<std::jthread> threads;
    for (std::int64_t thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&least, &most, thread] {
        for (std::int64_t i = 0; i < 5000; ++i) {
          Atomic<std::int64_t>(least).fetch_min(-(i * 4 + thread), Order::relaxed);
          Atomic<std::int64_t>(most).fetch_max(i * 4 + thread, Order::relaxed);
        }
      });
    }
  }
  EXPECT_EQ(least, -19'999);
  EXPECT_EQ(most, 19'999);
}

/// Memory of a device, and a Slice of it that starts at `offset`.
class AtomicsOn : public testing::Test {
 protected:
  static Capability ask(const Slice& slice, Processor by, Scope scope, unsigned bits = 64) {
    return slice.atomics(by, scope, bits);
  }
  static Buffer memory(bool host, const Sharing& sharing = {}) {
    alignas(64) static std::array<std::byte, 256> bytes;
    return Region::wrap(std::make_shared<FakeDevice>("fake:0", host), bytes.data(), bytes.size(), RegionKind::device,
                        sharing)
        .value();
  }
};

TEST_F(AtomicsOn, WordsOf32And64BitsOnTheirBoundariesAreLegal) {
  const Buffer buffer = memory(true);
  for (const unsigned bits : {32U, 64U}) {
    EXPECT_TRUE(ask(buffer, Processor::host, Scope::process, bits));
    EXPECT_TRUE(ask(buffer, Processor::device, Scope::process, bits));
  }
  EXPECT_TRUE(ask(buffer.slice(4, 8).value(), Processor::host, Scope::process, 32));
}

TEST_F(AtomicsOn, OtherWidthsAndMisalignedWordsAreRefusedWithTheReason) {
  const Buffer buffer = memory(true);
  for (const unsigned bits : {0U, 8U, 16U, 128U}) {
    EXPECT_THAT(ask(buffer, Processor::host, Scope::process, bits).reason, HasSubstr("32 and 64 bits"));
  }
  const Capability skewed = ask(buffer.slice(4, 8).value(), Processor::host, Scope::process, 64);
  EXPECT_FALSE(skewed);
  EXPECT_THAT(skewed.reason, HasSubstr("no multiple of 8"));
  EXPECT_FALSE(ask(buffer.slice(8, 4).value(), Processor::host, Scope::process, 64));
}

TEST_F(AtomicsOn, AFreedBufferAnswersNo) {
  Buffer buffer = memory(true);
  const Slice slice = buffer;
  ASSERT_TRUE(buffer.free().ok());
  EXPECT_THAT(ask(slice, Processor::host, Scope::process).reason, HasSubstr("freed"));
  EXPECT_FALSE(ask(Slice(), Processor::host, Scope::process));
}

TEST_F(AtomicsOn, HostCodeHasNoneOnAnAcceleratorsOwnMemory) {
  const Buffer buffer = memory(false);
  EXPECT_THAT(ask(buffer, Processor::host, Scope::device).reason, HasSubstr("accelerator's own memory"));
  EXPECT_TRUE(ask(buffer, Processor::device, Scope::device));
  EXPECT_TRUE(ask(buffer, Processor::device, Scope::process));
}

TEST_F(AtomicsOn, TheHostScopeNeedsAnotherProcessThatReachesTheMemory) {
  EXPECT_THAT(ask(memory(true), Processor::host, Scope::host).reason, HasSubstr("WrapOptions::sharing"));
  EXPECT_TRUE(ask(memory(true, {.reach = Reach::host}), Processor::host, Scope::host));
  EXPECT_TRUE(ask(memory(true, {.reach = Reach::pool, .coherent = false}), Processor::host, Scope::host));
}

TEST_F(AtomicsOn, ThePoolsScopeNeedsCoherentCaches) {
  EXPECT_THAT(ask(memory(true, {.reach = Reach::host}), Processor::host, Scope::pool).reason, HasSubstr("no pool"));
  EXPECT_THAT(ask(memory(true, {.reach = Reach::pool, .coherent = false}), Processor::host, Scope::pool).reason,
              HasSubstr("not kept coherent"));
  EXPECT_TRUE(ask(memory(true, {.reach = Reach::pool}), Processor::host, Scope::pool));
}

/// A GPU behind PCIe.
class BehindPcie final : public spi::ForwardingDevice {
 public:
  BehindPcie() : ForwardingDevice(std::make_unique<FakeDevice>()) {}
  Capability capability(Ability ability) const override {
    if (ability == Ability::host_native_atomics) return {false, "the link carries none"};
    return ForwardingDevice::capability(ability);
  }
};

TEST_F(AtomicsOn, KernelsBehindPcieAreSentToTheDelegateForHostMemory) {
  const Buffer buffer = Region::allocate(std::make_shared<BehindPcie>(), 64, {.kind = RegionKind::pinned}).value();
  const Capability system = ask(buffer, Processor::device, Scope::process);
  EXPECT_FALSE(system);
  EXPECT_THAT(system.reason, HasSubstr("the link carries none: use DelegatedAtomics"));
  EXPECT_TRUE(ask(buffer, Processor::device, Scope::device));
  EXPECT_TRUE(ask(buffer, Processor::host, Scope::process));
}

TEST_F(AtomicsOn, MemoryTheDeviceDoesNotKnowIsRefused) {
  alignas(64) std::array<std::byte, 64> bytes{};
  const Buffer lent =
      Region::wrap(std::make_shared<FakeDevice>(), bytes.data(), bytes.size(), RegionKind::user).value();
  EXPECT_THAT(ask(lent, Processor::device, Scope::device).reason, HasSubstr("not registered"));
  EXPECT_TRUE(ask(lent, Processor::host, Scope::process));
}

TEST_F(AtomicsOn, IncoherentMemorySaysSo) {
  EXPECT_TRUE(memory(true).can(Ability::coherent));
  EXPECT_FALSE(memory(true, {.reach = Reach::pool, .coherent = false}).can(Ability::coherent));
}

}  // namespace
}  // namespace gpuio::core
