// SPDX-License-Identifier: Apache-2.0
// Context::map, the same of every kind of Store.
#include <limits>

#include "stores/store_kinds.h"

namespace gpuio::tests {
namespace {

class StoreMapping : public StoreTest {
 protected:
  Buffer map(const MapOptions& options = {.access = MapAccess::read_write}) const {
    Result<Buffer> mapped = context_->map(store_, options);
    throw_if_failed(mapped.status());
    return *std::move(mapped);
  }
  [[nodiscard]] std::uint64_t page() const { return kind().page_bytes; }
};

TEST_P(StoreMapping, IsTheStoreItself) {
  const Buffer mapped = map();
  EXPECT_EQ(mapped.kind(), RegionKind::shared);
  ASSERT_GE(mapped.size(), kStoreBytes);
  for (std::uint64_t i = 0; i < kStoreBytes; i += 997) ASSERT_EQ(mapped.data()[i], pattern(i)) << i;

  mapped.data()[5000] = std::byte{0xee};
  EXPECT_EQ(read(5000, 1).front(), std::byte{0xee}) << "a read sees what was stored";

  const Buffer source = host_->allocate(1).value();
  source.data()[0] = std::byte{0xdd};
  ASSERT_TRUE(context_->write(store_, Layout::contiguous(6000, 1), source).value().wait().ok());
  EXPECT_EQ(mapped.data()[6000], std::byte{0xdd}) << "a load sees what was written";
  EXPECT_TRUE(mapped.check().ok());
}

TEST_P(StoreMapping, OutlivesTheHandleOfItsStore) {
  const Buffer mapped = map();
  store_ = Store();
  EXPECT_EQ(mapped.data()[123], pattern(123));
}

TEST_P(StoreMapping, PartOfAStoreIsMappedWhereItWasAsked) {
  const Buffer part = map({.offset = page(), .length = 2 * page()});
  EXPECT_EQ(part.size(), 2 * page());
  EXPECT_EQ(part.data()[10], pattern(page() + 10));
}

TEST_P(StoreMapping, PastTheEndIsRefused) {
  const std::uint64_t end = store_.size();
  EXPECT_EQ(context_->map(store_, {.length = end + page()}).error().code(), Code::out_of_range);
  EXPECT_EQ(context_->map(store_, {.offset = end + page()}).error().code(), Code::out_of_range);
  EXPECT_EQ(context_->map(store_, {.offset = end}).error().code(), Code::out_of_range) << "nothing to map";
  const std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(context_->map(store_, {.offset = huge, .length = 2}).error().code(), Code::out_of_range);
  EXPECT_EQ(context_->map(store_, {.offset = page(), .length = huge}).error().code(), Code::out_of_range);
  EXPECT_EQ(context_->map(Store(), {}).error().code(), Code::closed);
}

TEST_P(StoreMapping, ReserveIsNoLessThanTheMappingAndNoMoreThanThereAreAddresses) {
  EXPECT_EQ(context_->map(store_, {.length = 2 * page(), .reserve_bytes = page()}).error().code(),
            Code::invalid_argument);
  const Status absurd = context_->map(store_, {.reserve_bytes = 1ULL << 60U}).error();
  EXPECT_TRUE(absurd.code() == Code::out_of_memory || absurd.code() == Code::out_of_range) << absurd.to_string();
}

TEST_P(StoreMapping, RangesThatAreNoWholePagesAreRefusedWherePagesAreLarge) {
  if (page() == 4096) {
    const Buffer part = map({.offset = 100, .length = 50});
    EXPECT_EQ(part.data()[0], pattern(100)) << "any byte may be the first of a file";
    return;
  }
  EXPECT_EQ(context_->map(store_, {.offset = 4096, .length = page()}).error().code(), Code::invalid_argument);
  const Status status = context_->map(store_, {.length = 4096}).error();
  EXPECT_EQ(status.code(), Code::invalid_argument);
  EXPECT_NE(status.to_string().find("page_bytes"), std::string::npos) << status.to_string();
}

TEST_P(StoreMapping, GrowsInPlaceUpToItsReserve) {
  Buffer mapped = map({.length = page(), .access = MapAccess::read_write, .reserve_bytes = kStoreBytes});
  const std::byte* const before = mapped.data();
  const Slice first = mapped;
  ASSERT_TRUE(mapped.grow(2 * page()).ok());
  EXPECT_EQ(mapped.size(), 2 * page());
  EXPECT_EQ(mapped.data(), before);
  EXPECT_EQ(first.size(), page()) << "a Slice stays what it was";
  EXPECT_EQ(mapped.data()[2 * page() - 1], pattern(2 * page() - 1));
  ASSERT_TRUE(context_->read(store_, first).value().wait().ok());

  EXPECT_EQ(mapped.grow(page()).code(), Code::invalid_argument) << "it does not shrink";
  EXPECT_EQ(mapped.grow(kStoreBytes + page()).code(), Code::out_of_range);
  EXPECT_EQ(mapped.size(), 2 * page());
}

TEST_P(StoreMapping, GrowingPastTheEndLengthensAStoreThatCanBe) {
  const std::uint64_t end = store_.size();
  Buffer mapped = map({.access = MapAccess::read_write, .reserve_bytes = 2 * end});
  const Status grown = mapped.grow(end + page());
  if (!kind().can_grow) {
    // A file that stands in for a device is one: its length is fixed.
    EXPECT_EQ(grown.code(), Code::out_of_range) << grown.to_string();
    EXPECT_EQ(mapped.size(), end);
    return;
  }
  ASSERT_TRUE(grown.ok()) << grown.to_string();
  EXPECT_EQ(store_.size(), end + page());
  mapped.data()[end + page() - 1] = std::byte{0x77};
  EXPECT_EQ(read(end + page() - 1, 1).front(), std::byte{0x77});
  EXPECT_TRUE(mapped.check().ok());
}

TEST_P(StoreMapping, WhatIsUnmappedIsStaleAndTheRestStays) {
  Buffer mapped = map();
  const Slice whole = mapped;
  const Slice gone = mapped.slice(page() + 10, 10).value();
  const Slice stays = mapped.slice(2 * page(), page()).value();
  ASSERT_TRUE(mapped.unmap(page(), page()).ok());
  EXPECT_EQ(context_->read(store_, Layout::contiguous(0, 10), gone).error().code(), Code::stale);
  EXPECT_EQ(context_->read(store_, whole).error().code(), Code::stale);
  EXPECT_EQ(gone.pin().error().code(), Code::stale);
  EXPECT_EQ(stays.data()[0], pattern(2 * page()));
  ASSERT_TRUE(context_->read(store_, Layout::contiguous(0, page()), stays).value().wait().ok());
  EXPECT_NE(mapped.explain().find("unmapped"), std::string::npos) << mapped.explain();
}

TEST_P(StoreMapping, BadUnmapsChangeNothing) {
  Buffer mapped = map();
  ASSERT_TRUE(mapped.unmap(page(), page()).ok());
  EXPECT_EQ(mapped.unmap(page(), page()).code(), Code::stale) << "twice";
  EXPECT_EQ(mapped.unmap(0, 2 * page()).code(), Code::stale) << "partly twice";
  EXPECT_EQ(mapped.unmap(0, 100).code(), Code::invalid_argument) << "no whole pages";
  EXPECT_EQ(mapped.unmap(mapped.size(), page()).code(), Code::out_of_range);
  EXPECT_EQ(mapped.unmap(0, std::numeric_limits<std::uint64_t>::max()).code(), Code::out_of_range);
  EXPECT_EQ(mapped.data()[0], pattern(0));
  Buffer plain = host_->allocate(4096).value();
  EXPECT_EQ(plain.unmap(0, 4096).code(), Code::unsupported);
  EXPECT_EQ(plain.grow(8192).code(), Code::unsupported);
  EXPECT_EQ(Buffer().unmap(0, 1).code(), Code::closed);
}

TEST_P(StoreMapping, PinnedItIsBusy) {
  Buffer mapped = map();
  {
    const Pin pin = mapped.slice(0, 1).value().pin().value();
    EXPECT_EQ(mapped.unmap(page(), page()).code(), Code::busy);
    EXPECT_EQ(mapped.free().code(), Code::busy);
    EXPECT_EQ(pin.data()[0], pattern(0));
  }
  EXPECT_TRUE(mapped.unmap(page(), page()).ok());
}

TEST_P(StoreMapping, RequestInFlightKeepsAllOfItAndNotAMomentLonger) {
  Buffer mapped = map();
  const auto source = fake_->add("source", {.size_bytes = page()});
  source->hold();
  const Store store = context_->open("fake://source").value();
  const Request request = context_->read(store, mapped.slice(0, page()).value()).value();
  EXPECT_EQ(mapped.unmap(0, page()).code(), Code::busy);
  source->release();
  ASSERT_TRUE(request.wait().ok());
  EXPECT_EQ(mapped.data()[page() - 1], source->bytes()[page() - 1]);
  EXPECT_TRUE(mapped.unmap(0, page()).ok()) << "though the Request is still kept for its outcome";
}

TEST_P(StoreMapping, FreedWithARequestInFlightItStaysUntilThatIsQuiet) {
  Buffer mapped = map();
  const auto source = fake_->add("source", {.size_bytes = page()});
  source->hold();
  const Request request =
      context_->read(context_->open("fake://source").value(), mapped.slice(page(), page()).value()).value();
  ASSERT_TRUE(mapped.free().ok());
  source->release();
  ASSERT_TRUE(request.wait().ok());
  EXPECT_EQ(read(page() + 5, 1).front(), source->bytes()[5]);
}

TEST_P(StoreMapping, MappedForReadingItIsNoDestination) {
  const Buffer mapped = map({.access = MapAccess::read});
  const Buffer memory = host_->allocate(page()).value();
  const Slice part = mapped.slice(0, page()).value();
  EXPECT_EQ(context_->read(store_, part).error().code(), Code::permission_denied);
  EXPECT_EQ(context_->copy(memory, part).error().code(), Code::permission_denied);
  ASSERT_TRUE(context_->copy(part, memory).value().wait().ok());
  EXPECT_EQ(memory.data()[9], pattern(9));
  EXPECT_FALSE(mapped.can(Ability::host_atomics));
}

TEST_P(StoreMapping, RegisteredWithAnAcceleratorItIsUsedInPlace) {
  const std::size_t before = rules_->registered_bytes;  // slabs
  Buffer mapped = map({.access = MapAccess::read_write, .device = &*far_, .device_access = DeviceAccess::required});
  EXPECT_EQ(rules_->registered_bytes, before + mapped.size());
  EXPECT_TRUE(mapped.can(Ability::device_load_store));
  EXPECT_NE(mapped.explain().find("registered"), std::string::npos) << mapped.explain();
  const Buffer far = far_->allocate(kStoreBytes).value();
  const Slice all = mapped.slice(0, kStoreBytes).value();
  const Request copied = context_->copy(all, far).value();
  ASSERT_TRUE(copied.wait().ok());
  EXPECT_EQ(copied.explain().find("slab"), std::string::npos) << copied.explain();

  ASSERT_TRUE(mapped.unmap(0, page()).ok());
  EXPECT_EQ(rules_->registered_bytes, before + mapped.size() - page()) << "what is left is registered anew";
  ASSERT_TRUE(mapped.free().ok());
  EXPECT_EQ(rules_->registered_bytes, before);
}

TEST_P(StoreMapping, ThatCannotBeRegisteredIsStagedAndSaysWhy) {
  rules_->registers = false;
  EXPECT_EQ(context_->map(store_, {.device = &*far_, .device_access = DeviceAccess::required}).error().code(),
            Code::unsupported);
  const Buffer mapped = map({.access = MapAccess::read_write, .device = &*far_});
  const Capability can = mapped.can(Ability::device_load_store);
  EXPECT_FALSE(can);
  EXPECT_NE(can.reason.find("registers nothing"), std::string::npos) << can.reason;
  EXPECT_NE(mapped.explain().find("staged"), std::string::npos) << mapped.explain();
  EXPECT_EQ(mapped.data()[3], pattern(3)) << "the host reaches it all the same";

  rules_->registers = true;  // the slabs' memory is registered too
  const Buffer far = far_->allocate(kStoreBytes).value();
  const Slice all = mapped.slice(0, kStoreBytes).value();
  ASSERT_TRUE(context_->copy(all, far).value().wait().ok());
  std::memset(mapped.data(), 0, kStoreBytes);
  ASSERT_TRUE(context_->copy(far, all).value().wait().ok());
  for (std::uint64_t i = 0; i < kStoreBytes; i += 997) ASSERT_EQ(mapped.data()[i], pattern(i)) << i;
}

TEST_P(StoreMapping, PrefaultAndAdviceTakeParts) {
  Buffer mapped = map({.access = MapAccess::read_write, .prefault = true, .advice = MemoryAdvice::sequential});
  EXPECT_TRUE(mapped.prefault(100, page()).ok());
  for (const MemoryAdvice advice : {MemoryAdvice::normal, MemoryAdvice::sequential, MemoryAdvice::random,
                                    MemoryAdvice::will_need, MemoryAdvice::wont_need}) {
    EXPECT_TRUE(mapped.advise(0, page(), advice).ok()) << static_cast<int>(advice);
  }
  EXPECT_EQ(mapped.data()[7], pattern(7)) << "nothing is lost by advice";
  EXPECT_EQ(mapped.prefault(mapped.size(), 1).code(), Code::out_of_range);
  ASSERT_TRUE(mapped.unmap(page(), page()).ok());
  EXPECT_EQ(mapped.prefault(0, 2 * page()).code(), Code::stale);
  EXPECT_EQ(mapped.advise(page(), 1, MemoryAdvice::random).code(), Code::stale);
  EXPECT_TRUE(mapped.prefault(0, page()).ok());
}

TEST_P(StoreMapping, CutUnderneathItReadsAsZerosAndSaysSo) {
  if (std::string_view(kind().name) == "dax_device") GTEST_SKIP() << "a device can't be cut";
  const Buffer mapped = map();
  const Slice lost = mapped.slice(2 * page(), page()).value();
  const Slice kept = mapped.slice(0, page()).value();
  cut(2 * page());
  EXPECT_EQ(kept.data()[1], pattern(1));
  EXPECT_EQ(lost.data()[0], std::byte{0}) << "where SIGBUS would have killed";
  lost.data()[0] = std::byte{1};
  const Status status = mapped.check();
  EXPECT_EQ(status.code(), Code::end_of_file) << status.to_string();
  EXPECT_TRUE(status.data_loss());
  EXPECT_EQ(mapped.prefault(2 * page(), page()).code(), Code::end_of_file);
  EXPECT_NE(mapped.explain().find("broken"), std::string::npos) << mapped.explain();

  const Buffer memory = host_->allocate(page()).value();
  EXPECT_EQ(context_->copy(lost, memory).value().wait().code(), Code::end_of_file) << "never a wrong byte";
}

TEST_P(StoreMapping, StoreThatWasCutFailsItsReadersAndServesThemAgainLater) {
  if (std::string_view(kind().name) == "dax_device") GTEST_SKIP() << "a device can't be cut";
  if (!kind().has_a_name) GTEST_SKIP() << "only this Store has it, and knows its length";
  cut(2 * page());
  const Buffer memory = host_->allocate(1U << 20U).value();
  const Layout lost = Layout::contiguous(3 * page(), memory.size());
  EXPECT_EQ(context_->read(store_, lost, memory).value().wait().code(), Code::end_of_file);
  cut(kStoreBytes);
  ASSERT_TRUE(context_->read(store_, lost, memory).value().wait().ok());
  EXPECT_EQ(memory.data()[0], std::byte{0});
  EXPECT_EQ(read(1, 1).front(), pattern(1));
}

GPUIO_FOR_ALL_STORES(StoreMapping);

}  // namespace
}  // namespace gpuio::tests
