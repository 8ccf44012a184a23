// SPDX-License-Identifier: Apache-2.0
// Loads, stores and atomics of host code, where a Region says that they may be; the reason where not.
#include <gmock/gmock.h>

#include <cstring>
#include <thread>

#include "regions/region_kinds.h"

namespace gpuio::tests {
namespace {

using dev::Scope;
using Words = dev::View<std::uint64_t, dev::Checks::on>;

class RegionViews : public RegionTest {
 protected:
  static constexpr std::uint64_t kWords = 5000;

  void SetUp() override {
    RegionTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    pin_ = memory_.slice(4096, kWords * 8).value().pin().value();
    words_ = view<std::uint64_t>(pin_).value();
  }

  /// Two threads add to one word, and none of it is lost.
  template <Scope kScope>
  void add_from_two_threads() {
    constexpr std::uint64_t kTimes = 10'000;
    words_.store(9, 0);
    const auto add = [this] {
      for (std::uint64_t i = 0; i < kTimes; ++i) words_.atomic<kScope>(9).fetch_add(1);
    };
    {
      const std::jthread other(add);
      add();
    }
    EXPECT_EQ(words_.load(9), 2 * kTimes);
  }

  Pin pin_;
  Words words_;
};

TEST_P(RegionViews, EveryNoHasItsReason) {
  for (auto ability = Ability::host_load_store; ability <= Ability::host_native_atomics;
       ability = static_cast<Ability>(static_cast<int>(ability) + 1)) {
    const Capability can = memory_.can(ability);
    EXPECT_TRUE(can || !can.reason.empty()) << to_string(ability);
    EXPECT_EQ(Slice(memory_).can(ability).available, can.available) << to_string(ability);
  }
  EXPECT_FALSE(memory_.explain().empty());
}

TEST_P(RegionViews, HostCodeLoadsWhatARequestPutAndARequestGetsWhatItStored) {
  const Slice part = memory_.slice(4096, kWords * 8).value();
  const std::vector<std::byte> bytes = random_bytes(part.size());
  put(part, bytes);
  if (!memory_.can(Ability::host_load_store)) {
    EXPECT_DEATH((void)words_.load(0), "an accelerator's memory, used by host code");
    EXPECT_DEATH(words_.store(0, 1), "an accelerator's memory, used by host code");
    return;
  }
  EXPECT_EQ(words_.coherent(), memory_.can(Ability::coherent).available);
  words_.acquire(0, kWords);
  for (std::uint64_t i = 0; i < kWords; ++i) {
    std::uint64_t expected = 0;
    std::memcpy(&expected, &bytes[i * 8], 8);
    ASSERT_EQ(words_.load(i), expected) << i;
    words_.store(i, ~expected);
  }
  words_.release(0, kWords);
  const std::vector<std::byte> stored = get(part);
  for (std::uint64_t i = 0; i < stored.size(); ++i) ASSERT_EQ(stored[i], ~bytes[i]) << i;
}

TEST_P(RegionViews, AtomicsLoseNothingWhereTheyAreLegalAndHaveAReasonWhereNot) {
  const Slice part = memory_.slice(4096, kWords * 8).value();
  for (const Scope scope : {Scope::device, Scope::process, Scope::host, Scope::pool}) {
    SCOPED_TRACE(static_cast<int>(scope));
    for (const Processor by : {Processor::host, Processor::device}) {
      const Capability can = part.atomics(by, scope, 64);
      EXPECT_TRUE(can || !can.reason.empty());
      EXPECT_EQ(part.atomics(by, scope, 32).available, can.available);
      EXPECT_THAT(memory_.slice(4098, 80).value().atomics(by, scope, 64).reason, testing::HasSubstr("misaligned"));
    }
    if (!part.atomics(Processor::host, scope, 64)) continue;
    if (scope == Scope::device) add_from_two_threads<Scope::device>();
    if (scope == Scope::process) add_from_two_threads<Scope::process>();
    if (scope == Scope::host) add_from_two_threads<Scope::host>();
    if (scope == Scope::pool) add_from_two_threads<Scope::pool>();
  }
  EXPECT_EQ(part.atomics(Processor::host, Scope::process, 64).available,
            memory_.can(Ability::host_load_store).available)
      << "host code that may load and store may update";
}

TEST_P(RegionViews, OutlivingItsPinAViewSaysSo) {
  if (!memory_.can(Ability::host_load_store)) GTEST_SKIP() << "host code can't use it in any case";
  pin_ = Pin();
  EXPECT_DEATH((void)words_.load(0), "its Pin is gone");
}

GPUIO_FOR_ALL_REGIONS(RegionViews);

}  // namespace
}  // namespace gpuio::tests
