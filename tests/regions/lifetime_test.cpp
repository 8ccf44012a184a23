// SPDX-License-Identifier: Apache-2.0
// How long memory is there, the same of every kind of Region.
#include "regions/region_kinds.h"

namespace gpuio::tests {
namespace {

class RegionLifetime : public RegionTest {
 protected:
  void SetUp() override {
    RegionTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    source_ = fake_->add("source", {.size_bytes = kRegionBytes});
    store_ = context_->open("fake://source").value();
  }

  std::shared_ptr<FakeStore> source_;
  Store store_;
};

TEST_P(RegionLifetime, FreedItIsStaleWhateverIsAsked) {
  const Slice slice = memory_;
  const Slice part = memory_.slice(100, 4096).value();
  const std::vector<std::byte> bytes(4096);
  ASSERT_TRUE(memory_.free().ok());
  EXPECT_EQ(slice.data(), nullptr);
  EXPECT_EQ(slice.pin().error().code(), Code::stale);
  EXPECT_EQ(slice.placement().error().code(), Code::stale);
  EXPECT_FALSE(slice.can(Ability::device_copy));
  EXPECT_FALSE(slice.atomics(Processor::host, dev::Scope::process, 64));
  EXPECT_EQ(context_->copy(part, lend(bytes)).error().code(), Code::stale);
  EXPECT_EQ(context_->copy(lend(bytes), part).error().code(), Code::stale);
  EXPECT_EQ(context_->fill(part, std::span(bytes).first(3)).error().code(), Code::stale);
  EXPECT_EQ(context_->read(store_, slice).error().code(), Code::stale);
  EXPECT_EQ(context_->write(store_, slice).error().code(), Code::stale);

  memory_ = Buffer();
  const Result<Buffer> again = make(GetParam());  // Perhaps at the same addresses.
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(context_->read(store_, slice).error().code(), Code::stale);
}

TEST_P(RegionLifetime, PinnedItIsBusy) {
  const std::vector<std::byte> bytes = random_bytes(kRegionBytes);
  put(memory_, bytes);
  {
    const Pin pin = memory_.slice(10, 10).value().pin().value();
    const Pin second = Slice(memory_).pin().value();
    EXPECT_EQ(memory_.free().code(), Code::busy);
    EXPECT_TRUE(get(memory_) == bytes) << "nothing has changed";
  }
  EXPECT_TRUE(memory_.free().ok());
}

TEST_P(RegionLifetime, FreedWithARequestInFlightItStaysUntilThatIsQuiet) {
  source_->hold();
  const Request request = context_->read(store_, memory_).value();
  ASSERT_TRUE(memory_.free().ok());
  EXPECT_FALSE(request.done());
  source_->release();
  EXPECT_TRUE(request.wait().ok()) << request.status().to_string();
  EXPECT_EQ(request.progress().done_bytes, kRegionBytes);
}

TEST_P(RegionLifetime, AssignedOverItGoesAndTheOtherStays) {
  Result<Buffer> made = make(GetParam());
  ASSERT_TRUE(made) << made.error().to_string();
  const std::vector<std::byte> bytes = random_bytes(kRegionBytes);
  put(*made, bytes);
  const Slice gone = memory_;
  const Slice stays = *made;
  memory_ = *std::move(made);
  EXPECT_EQ(gone.pin().error().code(), Code::stale);
  EXPECT_TRUE(get(stays) == bytes);
  EXPECT_TRUE(memory_.check().ok());
}

TEST_P(RegionLifetime, OutlivesItsContext) {
  Pin pin = Slice(memory_).pin().value();
  const bool on_host = memory_.can(Ability::host_load_store).available;
  host_.reset();
  device_.reset();
  store_ = Store();
  context_.reset();
  if (on_host) {
    pin.data()[kRegionBytes - 1] = std::byte{1};
    EXPECT_EQ(memory_.data()[kRegionBytes - 1], std::byte{1});
  }
  EXPECT_EQ(memory_.free().code(), Code::busy);
  pin = Pin();
  EXPECT_TRUE(memory_.free().ok());
}

GPUIO_FOR_ALL_REGIONS(RegionLifetime);

}  // namespace
}  // namespace gpuio::tests
