// SPDX-License-Identifier: Apache-2.0
#include "core/view/delegate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <numeric>
#include <thread>
#include <vector>

#include "base/random.h"

// The ring between callers and the owner of the words; threads are the callers here, as kernels are on a GPU.
namespace gpuio::core {
namespace {

using dev::Atomic;
using dev::AtomicOp;
using dev::Delegate;
using dev::DelegateRequest;
using dev::DelegateResult;
using dev::DelegateRing;
using dev::Order;
using dev::TaggedWord;
using dev::ValueType;

/// A ring in plain memory, words, and a server that nobody drives yet.
struct Rig {
  explicit Rig(std::uint32_t queues = 1, std::uint32_t slots = dev::kSlotsMin,
               std::uint64_t timeout_ns = 60'000'000'000)
      : shared(std::size_t{3} * queues * slots),
        own(1 + queues * (dev::DelegateQueue::own_bytes(slots) / dev::kOwnLineBytes)),
        ring{shared.data(), own.front().bytes.data(), sizeof words, timeout_ns, queues, slots},
        server(reinterpret_cast<std::byte*>(words.data()), ring) {}

  struct alignas(dev::kOwnLineBytes) Line {
    std::array<std::byte, dev::kOwnLineBytes> bytes{};
  };
  alignas(64) std::array<std::uint64_t, 64> words{};
  std::vector<TaggedWord> shared;
  std::vector<Line> own;
  DelegateRing ring;
  DelegateServer server;
};

/// Drives a server until it goes.
class Serving {
 public:
  explicit Serving(DelegateServer& server)
      : thread_([&server](const std::stop_token& stop) {
          unsigned idle = 0;
          while (!stop.stop_requested()) {
            idle = server.serve() == 0 ? idle + 1 : 0;
            dev::pause(idle);
          }
        }) {}

 private:
  std::jthread thread_;
};

TEST(Delegate, AnswersAreWhatNativeOperationsReturn) {
  Rig rig(2);
  const Serving serving(rig.server);
  const Delegate delegate(rig.ring);
  std::array<std::uint64_t, 64> model{};
  base::Random random(3);
  for (int step = 0; step < 1000; ++step) {
    const auto op = static_cast<AtomicOp>(random.uniform(9));
    const bool narrow = random.chance(0.5);
    const std::uint64_t index = random.uniform(narrow ? 128 : 64);
    const std::uint64_t operand = random.uniform(8);
    const std::uint64_t expected = random.uniform(8);
    DelegateResult result = DelegateResult::lost;
    if (narrow) {
      const auto low = static_cast<std::int32_t>(operand) - 4;
      const auto old =
          delegate.perform<std::int32_t>(op, index, low, static_cast<std::int32_t>(expected), Order::relaxed, &result);
      auto& word = reinterpret_cast<std::int32_t*>(model.data())[index];
      ASSERT_EQ(old,
                dev::apply<dev::Scope::process>(op, word, low, static_cast<std::int32_t>(expected), Order::relaxed));
    } else {
      const auto old = delegate.perform<std::uint64_t>(op, index, operand, expected, Order::acquire_release, &result);
      ASSERT_EQ(old, dev::apply<dev::Scope::process>(op, model[index], operand, expected, Order::relaxed));
    }
    ASSERT_EQ(result, DelegateResult::done);
  }
  EXPECT_EQ(rig.words, model);
  EXPECT_EQ(rig.server.refused(), 0U);
}

TEST(Delegate, ManyCallersOnOneSmallRingLoseNothing) {
  Rig rig(1, dev::kSlotsMin);
  std::vector<std::uint64_t> seen(8 * 500);
  {
    const Serving serving(rig.server);
    std::vector<std::jthread> callers;
    for (std::size_t caller = 0; caller < 8; ++caller) {
      callers.emplace_back([&, caller] {
        for (std::size_t i = 0; i < 500; ++i) {
          seen[caller * 500 + i] = Delegate(rig.ring).perform<std::uint64_t>(AtomicOp::add, 5, 1);
        }
      });
    }
    callers.clear();
  }
  EXPECT_EQ(rig.words[5], 4000U);
  EXPECT_EQ(rig.server.served(), 4000U);
  // Every value between was returned to one of them: nothing was done twice.
  std::sort(seen.begin(), seen.end());
  std::vector<std::uint64_t> all(seen.size());
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(seen, all);
}

TEST(Delegate, DelegatedAndNativeOperationsOnOneWordAddUp) {
  Rig rig(2);
  {
    const Serving serving(rig.server);
    std::vector<std::jthread> threads;
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k < 500; ++k) Delegate(rig.ring).perform<std::uint64_t>(AtomicOp::add, 0, 1);
      });
      threads.emplace_back([&] {
        for (int k = 0; k < 500; ++k) Atomic<std::uint64_t>(rig.words[0]).fetch_add(1, Order::relaxed);
      });
    }
    threads.clear();
  }
  EXPECT_EQ(rig.words[0], 2000U);
}

TEST(Delegate, CompareExchangeOfManyCallersTakesEachTurnOnce) {
  Rig rig(2);
  {
    const Serving serving(rig.server);
    std::vector<std::jthread> callers;
    for (int caller = 0; caller < 4; ++caller) {
      callers.emplace_back([&] {
        for (int i = 0; i < 100; ++i) {
          std::uint64_t seen = 0;
          for (;;) {
            const std::uint64_t was =
                Delegate(rig.ring).perform<std::uint64_t>(AtomicOp::compare_exchange, 9, seen + 1, seen);
            if (was == seen) break;
            seen = was;
          }
        }
      });
    }
    callers.clear();
  }
  EXPECT_EQ(rig.words[9], 400U);
}

TEST(Delegate, AnAcquiredAnswerBringsWhatWasReleasedToTheWord) {
  Rig rig;
  std::uint64_t message = 0;
  const Serving serving(rig.server);
  std::jthread sender([&] {
    message = 42;
    Delegate(rig.ring).perform<std::uint64_t>(AtomicOp::exchange, 0, 1, 0, Order::release);
  });
  for (unsigned looks = 0;; ++looks) {
    if (Delegate(rig.ring).perform<std::uint64_t>(AtomicOp::add, 0, 0, 0, Order::acquire) == 1) break;
    dev::pause(looks);
  }
  EXPECT_EQ(message, 42U);
}

TEST(Delegate, RequestsThatNameNoWordAreRefusedBeforeTheyAreSent) {
  Rig rig;  // Nobody serves: what is sent would not come back.
  const Delegate delegate(rig.ring);
  EXPECT_EQ(delegate.perform({AtomicOp::add, ValueType::u64, sizeof rig.words, 1, 0}).result,
            DelegateResult::out_of_range);
  EXPECT_EQ(delegate.perform({AtomicOp::add, ValueType::u64, sizeof rig.words - 4, 1, 0}).result,
            DelegateResult::misaligned);
  EXPECT_EQ(delegate.perform({AtomicOp::add, ValueType::u32, 6, 1, 0}).result, DelegateResult::misaligned);
  EXPECT_EQ(delegate.perform({AtomicOp::minimum, ValueType::f32, 0, 1, 0}).result, DelegateResult::unsupported);
  DelegateResult result = DelegateResult::done;
  EXPECT_EQ(delegate.perform<std::uint32_t>(AtomicOp::add, ~std::uint64_t{0} / 2, 1, 0, Order::relaxed, &result), 0U);
  EXPECT_EQ(result, DelegateResult::out_of_range);
  EXPECT_EQ(rig.server.serve(), 0U);
}

TEST(DelegateServer, RequestsThatACallerShouldNotHaveWrittenHurtNothing) {
  Rig rig;
  const std::array<std::uint64_t, 4> tags = {
      dev::tag::of(DelegateRequest{AtomicOp::add, ValueType::u64, sizeof rig.words, 0, 0}, 1),
      dev::tag::of(DelegateRequest{AtomicOp::add, ValueType::u64, 4, 0, 0}, 1),
      dev::tag::of(DelegateRequest{static_cast<AtomicOp>(15), ValueType::u64, 0, 0, 0}, 1),
      dev::tag::of(DelegateRequest{AtomicOp::add, static_cast<ValueType>(7), 0, 0, 0}, 1)};
  for (std::size_t i = 0; i < tags.size(); ++i) store_tagged(&rig.shared[i], {77, tags[i]});
  EXPECT_EQ(rig.server.serve(), 4U);
  EXPECT_EQ(rig.server.refused(), 4U);
  EXPECT_EQ(rig.words, (std::array<std::uint64_t, 64>{}));
  const auto result = [&](std::size_t slot) {
    return dev::tag::result(rig.shared[std::size_t{2} * dev::kSlotsMin + slot].tag);
  };
  EXPECT_EQ(result(0), DelegateResult::out_of_range);
  EXPECT_EQ(result(1), DelegateResult::misaligned);
  EXPECT_EQ(result(2), DelegateResult::unsupported);
  EXPECT_EQ(result(3), DelegateResult::unsupported);
}

TEST(DelegateServer, ARequestIsNotDoneBeforeItsSecondOperandHasCome) {
  Rig rig;
  const DelegateRequest swap{AtomicOp::compare_exchange, ValueType::u64, 8, 0, 0};
  store_tagged(&rig.shared[0], {5, dev::tag::of(swap, 1)});
  EXPECT_EQ(rig.server.serve(), 0U);
  store_tagged(&rig.shared[dev::kSlotsMin], {0, 1});
  EXPECT_EQ(rig.server.serve(), 1U);
  EXPECT_EQ(rig.words[1], 5U);
}

TEST(DelegateServer, ARequestOfThePastRoundIsNotDoneAgain) {
  Rig rig;
  const DelegateRequest add{AtomicOp::add, ValueType::u64, 0, 0, 0};
  for (std::size_t slot = 0; slot < dev::kSlotsMin; ++slot) store_tagged(&rig.shared[slot], {1, dev::tag::of(add, 1)});
  EXPECT_EQ(rig.server.serve(), dev::kSlotsMin);
  EXPECT_EQ(rig.server.serve(), 0U);
  EXPECT_EQ(rig.words[0], std::uint64_t{dev::kSlotsMin});
}

TEST(DelegateServer, LooksOnWhileThereIsWorkAndEverMoreRarelyAfter) {
  Rig rig;
  EXPECT_EQ(rig.server.poll(1000), 1000U);
  const std::uint64_t much_later = 1'000'000'000;
  const std::uint64_t next = rig.server.poll(much_later);
  EXPECT_GT(next, much_later);
  EXPECT_LE(next, much_later + 1'000'000);
  store_tagged(&rig.shared[0], {1, dev::tag::of(DelegateRequest{AtomicOp::add, ValueType::u64, 0, 0, 0}, 1)});
  EXPECT_EQ(rig.server.poll(next), next);
  EXPECT_EQ(rig.words[0], 1U);
}

TEST(Delegate, WithoutAnOwnerCallersGiveUpAndSayThatTheRingIsBroken) {
  Rig rig(1, dev::kSlotsMin, 1'000'000);
  const Delegate delegate(rig.ring);
  EXPECT_EQ(delegate.perform({AtomicOp::add, ValueType::u64, 0, 1, 0}).result, DelegateResult::lost);
  // For good, and at once: the first one may still be done.
  rig.ring.timeout_ns = ~std::uint64_t{0} / 2;
  EXPECT_EQ(Delegate(rig.ring).perform({AtomicOp::add, ValueType::u64, 0, 1, 0}).result, DelegateResult::lost);
  EXPECT_EQ(rig.server.serve(), 1U);
  EXPECT_EQ(rig.words[0], 1U);
}

TEST(Delegate, TagsTellRoundsApartBeyondTheirBits) {
  const DelegateRequest request{AtomicOp::bit_xor, ValueType::i32, dev::tag::kOffsetMax, 0, 0};
  for (const std::uint64_t round : {1ULL, 65'535ULL, 65'536ULL, 65'537ULL, 1ULL << 40}) {
    const std::uint64_t tag = dev::tag::of(request, round);
    EXPECT_TRUE(dev::tag::is_of(tag, round));
    EXPECT_FALSE(dev::tag::is_of(tag, round - 1));
    EXPECT_FALSE(dev::tag::is_of(tag, round + 1));
    EXPECT_EQ(dev::tag::request(tag).op, AtomicOp::bit_xor);
    EXPECT_EQ(dev::tag::request(tag).type, ValueType::i32);
    EXPECT_EQ(dev::tag::request(tag).offset, dev::tag::kOffsetMax);
  }
}

}  // namespace
}  // namespace gpuio::core
