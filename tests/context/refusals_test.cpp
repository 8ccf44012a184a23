// SPDX-License-Identifier: Apache-2.0
// What bad calls get: an error that names the argument, nothing started, and a Context that goes on.
#include <gtest/gtest.h>

#include <limits>

#include "support/fake_context.h"

namespace gpuio::tests {
namespace {

constexpr std::uint64_t kBytes = 1U << 16U;
constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

class Refusals : public testing::Test {
 protected:
  Refusals() : fake_(make_fake_context()), file_(fake_.engine->add("file", {.size_bytes = kBytes})) {
    store_ = fake_.context.open("fake://file").value();
    device_.emplace(fake_.context.device("host").value());
    buffer_ = device_->allocate(kBytes).value();
  }

  void TearDown() override {
    EXPECT_TRUE(fake_.context.read(store_, buffer_).value().wait().ok()) << "the next call works";
    EXPECT_EQ(fake_.context.statistics().requests_outstanding, 0U);
  }

  void expect(const Result<Request>& result, Code code, std::string_view words) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), code) << result.error().to_string();
    EXPECT_NE(result.error().message().find(words), std::string_view::npos) << result.error().to_string();
  }

  FakeContext fake_;
  std::shared_ptr<FakeStore> file_;
  Store store_;
  std::optional<Device> device_;
  Buffer buffer_;
};

TEST_F(Refusals, AStoreShorterThanAsked) {
  const Slice part = buffer_.slice(0, 100).value();
  expect(fake_.context.read(store_, Layout::contiguous(kBytes - 99, 100), part), Code::out_of_range, "fake://file");
}

TEST_F(Refusals, OffsetPlusLengthThatOverflows) {
  const Slice part = buffer_.slice(0, 100).value();
  expect(fake_.context.read(store_, Layout::contiguous(kMax - 10, 100), part), Code::out_of_range, "overflow");
  expect(fake_.context.read(store_, Layout::extents({{0, kMax}, {0, 2}}), part), Code::out_of_range, "overflow");
}

TEST_F(Refusals, SidesOfDifferentSize) {
  expect(fake_.context.read(store_, Layout::contiguous(0, 99), buffer_.slice(0, 100).value()), Code::invalid_argument,
         "store_bytes=99 memory_bytes=100");
}

TEST_F(Refusals, ZeroBytes) {
  expect(fake_.context.read(store_, Layout::contiguous(0, 0), buffer_.slice(0, 0).value()), Code::invalid_argument,
         "zero");
  expect(fake_.context.read(std::span<const Transfer>()), Code::invalid_argument, "no transfers");
  EXPECT_EQ(device_->allocate(0).error().code(), Code::invalid_argument);
}

TEST_F(Refusals, EmptyHandles) {
  expect(fake_.context.read(Store(), buffer_), Code::closed, "Store");
  expect(fake_.context.read(store_, Slice()), Code::closed, "destination");
  EXPECT_EQ(Store().flush().code(), Code::closed);
}

TEST_F(Refusals, ASliceOutsideItsRegion) {
  EXPECT_EQ(buffer_.slice(1, kBytes).error().code(), Code::out_of_range);
  EXPECT_EQ(buffer_.slice(kMax, 2).error().code(), Code::out_of_range);
  const Slice inner = buffer_.slice(10, 20).value();
  EXPECT_EQ(inner.slice(5, 16).error().code(), Code::out_of_range);
}

TEST_F(Refusals, MemoryThatWasFreed) {
  Buffer freed = device_->allocate(kBytes).value();
  const Slice slice = freed;
  ASSERT_TRUE(freed.free().ok());
  expect(fake_.context.read(store_, slice), Code::stale, "freed");
}

TEST_F(Refusals, AddressesGivenOutAgainAreStillStale) {
  // Freed and allocated anew until the same address comes back: only the generation tells them apart.
  Buffer freed = device_->allocate(kBytes).value();
  const std::byte* address = freed.data();
  const Slice slice = freed;
  ASSERT_TRUE(freed.free().ok());
  std::vector<Buffer> kept;
  for (int i = 0; i < 100 && (kept.empty() || kept.back().data() != address); ++i) {
    kept.push_back(device_->allocate(kBytes).value());
  }
  expect(fake_.context.read(store_, slice), Code::stale, "freed");
}

TEST_F(Refusals, FreeingPinnedMemoryIsBusy) {
  Buffer buffer = device_->allocate(kBytes).value();
  {
    const Pin pin = Slice(buffer).pin().value();
    EXPECT_EQ(buffer.free().code(), Code::busy);
    EXPECT_EQ(pin.size(), kBytes);
  }
  EXPECT_TRUE(buffer.free().ok());
}

TEST_F(Refusals, MemoryOfAnotherContext) {
  FakeContext other = make_fake_context();
  const Buffer foreign = other.context.device("host").value().allocate(kBytes).value();
  expect(fake_.context.read(store_, foreign), Code::invalid_argument, "another Context");
}

TEST_F(Refusals, WritingAStoreOpenedForReading) {
  fake_.engine->add("fixed", {.size_bytes = kBytes, .writable = false});
  const Store fixed = fake_.context.open("fake://fixed").value();
  expect(fake_.context.write(fixed, buffer_), Code::permission_denied, "fake://fixed");
}

TEST_F(Refusals, ARequestOnAStreamBeingCaptured) {
  const Stream stream = device_->create_stream().value();
  ASSERT_TRUE(stream.begin_capture().ok());
  TransferOptions options;
  options.stream = &stream;
  expect(fake_.context.read(store_, buffer_, options), Code::invalid_argument, "Launch");
  EXPECT_TRUE(stream.end_capture());
}

TEST_F(Refusals, UnknownSchemesAndDevicesNameThoseThereAre) {
  const auto store = fake_.context.open("nfs://x");
  EXPECT_EQ(store.error().code(), Code::unsupported);
  EXPECT_NE(store.error().message().find("file"), std::string_view::npos);
  const auto device = fake_.context.device("tpu:0");
  EXPECT_EQ(device.error().code(), Code::not_found);
  EXPECT_NE(device.error().message().find("host"), std::string_view::npos);
}

TEST_F(Refusals, OverlappingCopies) {
  expect(fake_.context.copy(buffer_.slice(0, 100).value(), buffer_.slice(99, 100).value()), Code::invalid_argument,
         "overlap");
  expect(fake_.context.copy(buffer_.slice(0, 100).value(), buffer_.slice(200, 101).value()), Code::invalid_argument,
         "differ");
}

TEST_F(Refusals, AFullQueueIsWouldBlockAndDrains) {
  FakeContext fake = make_fake_context({{"scheduler.queue_depth_max", "2"}});
  const auto file = fake.engine->add("file", {.size_bytes = kBytes});
  const Store store = fake.context.open("fake://file").value();
  const Buffer buffer = fake.context.device("host").value().allocate(kBytes).value();
  file->hold();
  const Request first = fake.context.read(store, buffer).value();
  const Request second = fake.context.read(store, buffer).value();
  expect(fake.context.read(store, buffer), Code::would_block, "queue_depth_max");
  file->release();
  EXPECT_TRUE(first.wait().ok());
  EXPECT_TRUE(second.wait().ok());
  EXPECT_TRUE(fake.context.read(store, buffer).value().wait().ok());
}

TEST_F(Refusals, SettingsThatDoNotExistOrCanNotChange) {
  EXPECT_EQ(fake_.context.set("scheduler.wrokers", "1").code(), Code::invalid_argument);
  EXPECT_EQ(fake_.context.set("scheduler.workers", "1").code(), Code::unsupported);
}

TEST_F(Refusals, PinnedBudgetTooSmallForOneSlabSaysSo) {
  FakeContext fake = make_fake_context({{"memory.pinned_budget_bytes", "4096"}});
  fake.engine->add("file", {.size_bytes = kBytes, .way = spi::Way::direct, .alignment = 4096});
  const Store store = fake.context.open("fake://file").value();
  const Buffer buffer = fake.context.device("host").value().allocate(kBytes).value();
  const Request request = fake.context.read(store, Layout::contiguous(1, 100), buffer.slice(0, 100).value()).value();
  EXPECT_EQ(request.wait().code(), Code::resource_exhausted) << request.wait().to_string();
}

}  // namespace
}  // namespace gpuio::tests
