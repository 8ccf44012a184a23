// SPDX-License-Identifier: Apache-2.0
#include "gpuio/view.hpp"

#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "core/memory/region.h"
#include "core/testing/fake_device.h"
#include "core/view/cache_lines.h"
#include "core/view/view_cells.h"

namespace gpuio::core {
namespace {

using dev::Checks;

template <class T>
using Checked = dev::View<T, Checks::on>;
template <class T>
using Unchecked = dev::View<T, Checks::off>;

template <class Viewed>
concept Writable = requires(const Viewed& viewed) { viewed.store(0, 1); };

class ViewTest : public testing::Test {
 protected:
  Buffer allocate(std::uint64_t bytes, RegionKind kind = RegionKind::device) {
    return Region::allocate(std::make_shared<FakeDevice>("fake:0", true), bytes, {.kind = kind}).value();
  }
  static Pin pin(const Slice& slice) { return slice.pin().value(); }
};

TEST_F(ViewTest, StoresAreWhatIsLoadedAndWhatLiesInMemory) {
  const Buffer buffer = allocate(80);
  const Pin hold = pin(buffer);
  const View<std::uint64_t> numbers = view<std::uint64_t>(hold).value();
  ASSERT_EQ(numbers.size(), 10U);
  for (std::uint64_t i = 0; i < 10; ++i) numbers.store(i, i * i);
  for (std::uint64_t i = 0; i < 10; ++i) EXPECT_EQ(numbers.load(i), i * i);
  EXPECT_EQ(reinterpret_cast<const std::uint64_t*>(buffer.data())[7], 49U);
}

TEST_F(ViewTest, ElementsMayBeAnyPlainType) {
  struct Edge {
    std::uint32_t from;
    std::uint32_t to;
    float weight;
  };
  const Buffer buffer = allocate(12 * 5);
  const Pin hold = pin(buffer);
  const auto edges = view<Edge>(hold).value();
  edges.store(4, {1, 2, 0.5F});
  EXPECT_EQ(edges.load(4).to, 2U);
  EXPECT_EQ(edges.load(4).weight, 0.5F);
}

TEST_F(ViewTest, SpansArePlainMemoryAndStdSpans) {
  const Buffer buffer = allocate(64 * sizeof(int));
  const Pin hold = pin(buffer);
  const View<int> numbers = view<int>(hold).value();
  const std::span<int> all = numbers.span();
  std::iota(all.begin(), all.end(), 0);
  int sum = 0;
  for (const int number : numbers.span(10, 5)) sum += number;
  EXPECT_EQ(sum, 10 + 11 + 12 + 13 + 14);
  EXPECT_EQ(numbers.part(10, 5).load(1), 11);
  EXPECT_EQ(numbers.part(10, 5).size(), 5U);
}

TEST_F(ViewTest, ReadOnlyViewsComeFromWritableOnes) {
  const Buffer buffer = allocate(16);
  const Pin hold = pin(buffer);
  const View<int> writable = view<int>(hold).value();
  writable.store(1, 7);
  const View<const int> readable = writable;
  EXPECT_EQ(readable.load(1), 7);
  static_assert(Writable<View<int>> && !Writable<View<const int>>);
  static_assert(!std::is_convertible_v<View<const int>, View<int>>);
}

TEST_F(ViewTest, AtomicsActOnTheElement) {
  const Buffer buffer = allocate(32);
  const Pin hold = pin(buffer);
  const View<std::uint64_t> counters = view<std::uint64_t>(hold).value();
  for (std::uint64_t i = 0; i < 4; ++i) counters.store(i, 0);
  EXPECT_EQ(counters.atomic(2).fetch_add(5), 0U);
  EXPECT_EQ(counters.atomic<dev::Scope::device>(2).exchange(9), 5U);
  EXPECT_EQ(counters.load(2), 9U);
  EXPECT_EQ(counters.load(1), 0U);
}

TEST_F(ViewTest, PinsThatDoNotSuitTheElementAreRefused) {
  const Buffer buffer = allocate(64);
  EXPECT_EQ(view<int>(Pin()).error().code(), Code::closed);
  const Pin skewed = pin(buffer.slice(2, 8).value());
  EXPECT_EQ(view<int>(skewed).error().code(), Code::invalid_argument);
  EXPECT_TRUE(view<std::uint16_t>(skewed));
  const Pin odd = pin(buffer.slice(0, 10).value());
  EXPECT_EQ(view<int>(odd).error().code(), Code::invalid_argument);
}

TEST_F(ViewTest, AMovedPinKeepsItsViews) {
  const Buffer buffer = allocate(64);
  Pin first = pin(buffer);
  const Checked<int> numbers = view<int>(first).value();
  const Pin second = std::move(first);
  numbers.store(0, 3);
  EXPECT_EQ(numbers.load(0), 3);
}

TEST_F(ViewTest, CellsOfPinsThatAreGoneAreUsedAgain) {
  const Buffer buffer = allocate(64);
  {
    const auto numbers = view<int>(pin(buffer));
  }
  const std::size_t cells = ViewCells::process().cells();
  for (int i = 0; i < 100; ++i) {
    const Pin hold = pin(buffer);
    const View<int> numbers = view<int>(hold).value();
    const View<int> again = view<int>(hold).value();
    numbers.store(0, i);
    EXPECT_EQ(again.load(0), i);
  }
  EXPECT_EQ(ViewCells::process().cells(), cells);
}

TEST_F(ViewTest, OnePinMayBeViewedByManyThreadsAtOnce) {
  const Buffer buffer = allocate(64);
  const Pin hold = pin(buffer);
  std::vector<std::jthread> threads;
  for (std::uint64_t i = 0; i < 4; ++i) {
    threads.emplace_back([&hold, i] { view<std::uint64_t>(hold).value().store(i, i); });
  }
}

using ViewDeathTest = ViewTest;

TEST_F(ViewDeathTest, CheckedAccessOutsideEndsTheProgramAndSaysWhere) {
  const Buffer buffer = allocate(40);
  const Pin hold = pin(buffer);
  const Checked<int> numbers = view<int>(hold).value();
  EXPECT_DEATH((void)numbers.load(10), "element outside: 10 of 10");
  EXPECT_DEATH(numbers.store(~std::uint64_t{0}, 1), "element outside");
  EXPECT_DEATH((void)numbers.span(8, 3), "element outside: 10 of 10");
  EXPECT_DEATH((void)numbers.span(1, ~std::uint64_t{0}), "element outside");
  EXPECT_DEATH((void)numbers.part(11, 0), "element outside");
  EXPECT_DEATH((void)numbers.atomic(10), "element outside");
  EXPECT_DEATH(numbers.flush(0, 11), "element outside");
  EXPECT_DEATH((void)Checked<int>().load(0), "element outside: 0 of 0");
  EXPECT_EQ(numbers.span(10, 0).size(), 0U);
}

TEST_F(ViewDeathTest, CheckedAccessAfterThePinIsGoneEndsTheProgram) {
  const Buffer buffer = allocate(40);
  Pin hold = pin(buffer);
  const Checked<int> numbers = view<int>(hold).value();
  numbers.store(0, 1);
  hold = Pin();
  EXPECT_DEATH((void)numbers.load(0), "its Pin is gone");
  hold = pin(buffer);
  const Checked<int> others = view<int>(hold).value();  // Another generation in the cell that the first one had.
  others.store(0, 2);
  EXPECT_DEATH((void)numbers.load(0), "its Pin is gone");
}

TEST_F(ViewDeathTest, HostCodeOnAnAcceleratorsMemoryEndsTheProgram) {
  const auto device = std::make_shared<FakeDevice>("fake:0", false);
  const Buffer buffer = Region::allocate(device, 64, {}).value();
  const Pin hold = pin(buffer);
  const Checked<int> numbers = view<int>(hold).value();
  EXPECT_DEATH((void)numbers.load(0), "accelerator's memory, used by host code");
  const Buffer pinned = Region::allocate(device, 64, {.kind = RegionKind::pinned}).value();
  const Pin pinned_hold = pin(pinned);
  const Checked<int> reachable = view<int>(pinned_hold).value();
  reachable.store(0, 1);
  EXPECT_EQ(reachable.load(0), 1);
}

TEST_F(ViewTest, UncheckedViewsAreAPointerAndLookAtNothing) {
  std::array<int, 4> numbers{1, 2, 3, 4};
  const std::uint64_t gone = 5;
  const Unchecked<int> part(dev::ViewSource{
      .data = numbers.data(), .bytes = 8, .generation = &gone, .made_in = 4, .host = false, .coherent = true});
  EXPECT_EQ(part.size(), 2U);
  EXPECT_EQ(part.load(3), 4);
}

TEST(CacheLines, EveryLineOfARangeIsVisitedOnceAndNoOther) {
  alignas(kCacheLineBytes) std::array<std::byte, 4 * kCacheLineBytes> memory{};
  for (std::size_t offset = 0; offset < 2 * kCacheLineBytes; ++offset) {
    for (std::size_t bytes = 0; bytes < 2 * kCacheLineBytes; ++bytes) {
      std::vector<std::size_t> visited;
      const LineRange lines = lines_of(memory.data() + offset, bytes);
      for (const std::byte* line = lines.begin; line < lines.end; line += kCacheLineBytes) {
        visited.push_back(static_cast<std::size_t>(line - memory.data()));
      }
      std::vector<std::size_t> expected;
      for (std::size_t line = 0; line < memory.size(); line += kCacheLineBytes) {
        if (bytes > 0 && line + kCacheLineBytes > offset && line < offset + bytes) expected.push_back(line);
      }
      ASSERT_EQ(visited, expected) << offset << ' ' << bytes;
    }
  }
}

TEST(CacheLines, WritingBackAndDroppingKeepsEveryByte) {
  if (!can_write_back()) GTEST_SKIP() << "this processor can't write cache lines back";
  std::vector<std::uint32_t> numbers(10'000);
  const Unchecked<std::uint32_t> incoherent(dev::ViewSource{.data = numbers.data(),
                                                            .bytes = numbers.size() * 4,
                                                            .generation = nullptr,
                                                            .made_in = 0,
                                                            .host = true,
                                                            .coherent = false});
  for (std::uint32_t i = 0; i < 10'000; ++i) incoherent.store(i, i * 7);
  incoherent.release(3, 5000);
  incoherent.acquire(0, 10'000);
  incoherent.flush(17, 1);
  for (std::uint32_t i = 0; i < 10'000; ++i) ASSERT_EQ(incoherent.load(i), i * 7);
  EXPECT_STRNE(write_back_instruction(), "none");
}

}  // namespace
}  // namespace gpuio::core
