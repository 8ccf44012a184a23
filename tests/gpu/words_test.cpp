// SPDX-License-Identifier: Apache-2.0
// Views, atomics and delegated atomics in kernels of a user's own, and between them and host code: what
// src/core/view/litmus_test.cpp and delegate_test.cpp show for threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>
#include <thread>
#include <vector>

#include "gpu_context.h"
#include "gpuio/dev/delegate.h"
#include "gpuio/gpuio.hpp"
#include "words_kernels.h"

namespace gpuio::tests {
namespace {

using dev::Order;

constexpr std::uint64_t kLine = 16;  // In words: 128 bytes.

class WordsOnGpu : public testing::Test {
 protected:
  /// Memory of a kind, zero, and Views of it.
  struct Memory {
    Buffer buffer;
    Pin pin;
    Words words;
  };

  void SetUp() override {
    context_.emplace(gpu_context());
    Result<Device> opened = context_->device("cuda:0");
    if (!opened) GTEST_SKIP() << opened.error().to_string();
    device_.emplace(*std::move(opened));
    stream_.emplace(device_->create_stream().value());
  }

  Memory allocate(std::uint64_t words, RegionKind kind) {
    Memory memory;
    memory.buffer = device_->allocate(words * 8, {.kind = kind}).value();
    memory.pin = Slice(memory.buffer).pin().value();
    memory.words = Words(view<std::uint64_t>(memory.pin).value());
    set(memory, std::vector<std::uint64_t>(words));
    return memory;
  }
  void set(const Memory& memory, const std::vector<std::uint64_t>& values) {
    const Buffer staged = device_->allocate(values.size() * 8, {.kind = RegionKind::pinned}).value();
    std::memcpy(staged.data(), values.data(), staged.size());
    throw_if_failed(context_->copy(staged, memory.buffer).value().wait());
  }
  std::vector<std::uint64_t> get(const Memory& memory) {
    const Buffer staged = device_->allocate(memory.buffer.size(), {.kind = RegionKind::pinned}).value();
    throw_if_failed(context_->copy(memory.buffer, staged).value().wait());
    std::vector<std::uint64_t> values(staged.size() / 8);
    std::memcpy(values.data(), staged.data(), staged.size());
    return values;
  }
  void finish() { throw_if_failed(stream_->synchronize()); }

  std::optional<Context> context_;
  std::optional<Device> device_;
  std::optional<Stream> stream_;
};

TEST_F(WordsOnGpu, KernelsLoadAndStoreThroughTheViewsThatHostCodeHas) {
  for (const RegionKind kind : {RegionKind::device, RegionKind::pinned, RegionKind::mapped}) {
    if (kind == RegionKind::mapped && !device_->capability(Ability::mapped_regions)) continue;
    const Memory from = allocate(10'000, kind);
    const Memory to = allocate(10'000, kind);
    std::vector<std::uint64_t> values(10'000);
    std::iota(values.begin(), values.end(), 0);
    set(from, values);
    map_words(stream_->native(), from.words, to.words);
    finish();
    for (std::uint64_t& value : values) value = value * 3 + 1;
    EXPECT_EQ(get(to), values) << to_string(kind);
  }
}

TEST_F(WordsOnGpu, HostAndKernelSeeWhatTheOtherReleased) {
  constexpr std::uint64_t kRounds = 5000;
  const Memory state = allocate(4 * kLine, RegionKind::pinned);
  const Memory gave_up = allocate(1, RegionKind::pinned);
  talk(stream_->native(), state.words, kRounds, gave_up.words);
  for (std::uint64_t round = 1; round <= kRounds; ++round) {
    state.words.store(0, round * 3);
    state.words.atomic(kLine).store(round, Order::release);
    while (state.words.atomic(2 * kLine).load(Order::acquire) != round) {
      ASSERT_EQ(gave_up.words.atomic(0).load(), 0U) << "in round " << round;
    }
    ASSERT_EQ(state.words.load(3 * kLine), round * 5);
  }
  finish();
  EXPECT_EQ(gave_up.words.load(0), 0U);
}

TEST_F(WordsOnGpu, BlocksThatMeetAtOneWordLoseNothingAndLocksHold) {
  const Memory words = allocate(4 * kLine, RegionKind::device);
  constexpr unsigned kBlocks = 64;
  constexpr unsigned kThreads = 64;
  meet(stream_->native(), words.words, kBlocks, kThreads);
  finish();
  const std::vector<std::uint64_t> got = get(words);
  EXPECT_EQ(got[0], kBlocks * kThreads);
  EXPECT_EQ(got[kLine], kBlocks * kThreads - 1);
  EXPECT_EQ(got[3 * kLine], kBlocks * kThreads);
}

TEST_F(WordsOnGpu, DelegatedOperationsOfPartedLanesAreEachDoneOnceBesideTheHosts) {
  constexpr unsigned kThreads = 20'000;
  const Memory words = allocate(1 + kThreads, RegionKind::pinned);
  const Memory old = allocate(kThreads, RegionKind::device);
  const DelegatedAtomics owner =
      DelegatedAtomics::create(*context_, *device_, words.buffer, {.queues = 8, .slots = 128}).value();
  delegate(stream_->native(), owner.ring(), old.words, kThreads);
  std::vector<std::uint64_t> seen;
  for (int i = 0; i < 20'000; ++i) seen.push_back(words.words.atomic(0).fetch_add(1, Order::relaxed));
  finish();
  const std::vector<std::uint64_t> of_kernel = get(old);
  seen.insert(seen.end(), of_kernel.begin(), of_kernel.end());
  std::sort(seen.begin(), seen.end());
  std::vector<std::uint64_t> all(seen.size());
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(seen, all);
  for (std::uint64_t i = 0; i < kThreads; ++i) ASSERT_EQ(words.words.load(1 + i), i % 2 == 1 ? 7U : 0U) << i;
  EXPECT_EQ(owner.statistics().served, kThreads + kThreads / 2);
}

TEST_F(WordsOnGpu, TheDeviceSaysWhetherItsAtomicsReachTheHost) {
  const Memory words = allocate(8, RegionKind::pinned);
  const Slice slice = words.buffer;
  EXPECT_TRUE(slice.atomics(Processor::device, dev::Scope::device, 64));
  const Capability system = slice.atomics(Processor::device, dev::Scope::process, 64);
  EXPECT_EQ(system.available, device_->capability(Ability::host_native_atomics).available);
  if (!system) {
    EXPECT_NE(system.reason.find("DelegatedAtomics"), std::string::npos);
  }
}

}  // namespace
}  // namespace gpuio::tests
