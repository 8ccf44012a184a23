// SPDX-License-Identifier: Apache-2.0
// Reads and writes, the same of every kind of Store.
#include "stores/store_kinds.h"

namespace gpuio::tests {
namespace {

using StoreTransfers = StoreTest;

TEST_P(StoreTransfers, TellsWhatItIs) {
  EXPECT_GE(store_.size(), kStoreBytes);
  EXPECT_EQ(store_.uri(), uri_);
  // Where the folder for temporary files lies in memory, so do these.
  if (std::string_view(kind().name) != "file") {
    EXPECT_EQ(store_.tier(), kind().tier);
  }
  EXPECT_FALSE(store_.explain().empty());
  EXPECT_EQ(store_.residency(kStoreBytes, 1 + store_.size() - kStoreBytes).error().code(), Code::out_of_range);
}

TEST_P(StoreTransfers, AnyPartReadsAsItWasWritten) {
  for (const auto& [offset, length] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {0, 1}, {1, 4095}, {4093, 7}, {kStoreBytes - 1, 1}, {123, 3U << 20U}, {0, kStoreBytes}}) {
    const std::vector<std::byte> bytes = read(offset, length);
    for (std::uint64_t i = 0; i < length; ++i) ASSERT_EQ(bytes[i], pattern(offset + i)) << offset << " + " << i;
  }
}

TEST_P(StoreTransfers, ManySmallExtentsArriveInTheirOrder) {
  constexpr std::uint64_t kCount = 5000;
  constexpr std::uint64_t kBytes = 100;
  std::vector<Extent> extents;
  for (std::uint64_t i = 0; i < kCount; ++i) extents.push_back({(i * 7919) % (kStoreBytes - kBytes), kBytes});
  const Buffer memory = host_->allocate(kCount * kBytes).value();
  const Status status = context_->read(store_, Layout::extents(extents), memory).value().wait();
  ASSERT_TRUE(status.ok()) << status.to_string();
  for (std::uint64_t i = 0; i < kCount * kBytes; ++i) {
    ASSERT_EQ(memory.data()[i], pattern(extents[i / kBytes].offset + i % kBytes)) << i;
  }
}

TEST_P(StoreTransfers, BytesReachAnAcceleratorAndComeBack) {
  const Buffer far = far_->allocate(kStoreBytes).value();
  ASSERT_FALSE(far.can(Ability::host_load_store));
  const Status there = context_->read(store_, far).value().wait();
  ASSERT_TRUE(there.ok()) << there.to_string();
  const Buffer zeros = host_->allocate(kStoreBytes).value();
  std::memset(zeros.data(), 0, kStoreBytes);
  ASSERT_TRUE(context_->write(store_, zeros).value().wait().ok());
  const Status back = context_->write(store_, far).value().wait();
  ASSERT_TRUE(back.ok()) << back.to_string();
  const std::vector<std::byte> bytes = read(0, kStoreBytes);
  for (std::uint64_t i = 0; i < kStoreBytes; ++i) ASSERT_EQ(bytes[i], pattern(i)) << i;
}

TEST_P(StoreTransfers, ReadPastTheEndIsRefusedAndNothingStarts) {
  const Buffer memory = host_->allocate(4096).value();
  const std::uint64_t end = store_.size();
  EXPECT_EQ(context_->read(store_, Layout::contiguous(end - 100, 4096), memory).error().code(), Code::out_of_range);
  EXPECT_EQ(context_->statistics().requests_outstanding, 0U);
}

TEST_P(StoreTransfers, WritePastTheEndGrowsItOrSaysThatItCannot) {
  const std::uint64_t end = store_.size();
  const Buffer memory = host_->allocate(3U << 20U).value();
  std::memset(memory.data(), 0x5a, memory.size());
  const Status status = context_->write(store_, Layout::contiguous(end - 10, memory.size()), memory).value().wait();
  if (!kind().can_grow) {
    EXPECT_EQ(status.code(), Code::no_space) << status.to_string();
    EXPECT_EQ(store_.size(), end);
    return;
  }
  ASSERT_TRUE(status.ok()) << status.to_string();
  EXPECT_GE(store_.size(), end - 10 + memory.size());
  const std::vector<std::byte> bytes = read(end - 11, 12 + (2U << 20U));
  EXPECT_EQ(bytes.front(), pattern(end - 11));
  EXPECT_EQ(bytes[1], std::byte{0x5a});
  EXPECT_EQ(bytes.back(), std::byte{0x5a});
}

TEST_P(StoreTransfers, LengthenedTwiceItKeepsWhatTheOtherWrote) {
  if (!kind().has_a_name || !kind().can_grow) GTEST_SKIP() << "nobody else can lengthen it";
  ASSERT_TRUE(store_.truncate(4096).ok());
  const Buffer memory = host_->allocate(4096).value();
  std::memset(memory.data(), 0x5a, memory.size());
  const Store other = open({.mode = OpenMode::write}).value();
  ASSERT_TRUE(context_->write(other, Layout::contiguous(1U << 20U, 4096), memory).value().wait().ok());
  // This handle knows nothing of that.
  ASSERT_TRUE(context_->write(store_, Layout::contiguous(8192, 4096), memory).value().wait().ok());
  std::memset(memory.data(), 0, memory.size());
  ASSERT_TRUE(context_->read(other, Layout::contiguous(1U << 20U, 4096), memory).value().wait().ok());
  EXPECT_EQ(memory.data()[4095], std::byte{0x5a});
}

TEST_P(StoreTransfers, OpenedForReadingItRefusesWrites) {
  if (!kind().has_a_name) {
    EXPECT_EQ(open({}).error().code(), Code::invalid_argument) << "there is nothing to read";
    return;
  }
  const Store reader = open({}).value();
  const Buffer memory = host_->allocate(4096).value();
  EXPECT_EQ(context_->write(reader, memory).error().code(), Code::permission_denied);
  EXPECT_EQ(reader.truncate(1).code(), Code::permission_denied);
  EXPECT_EQ(context_->map(reader, {.access = MapAccess::read_write}).error().code(), Code::permission_denied);
  ASSERT_TRUE(context_->read(reader, memory).value().wait().ok());
  EXPECT_EQ(memory.data()[4095], pattern(4095));
}

TEST_P(StoreTransfers, FlushedAndCommittedItIsAsItWas) {
  EXPECT_TRUE(store_.flush().ok());
  EXPECT_TRUE(store_.commit().ok());
  EXPECT_EQ(read(77, 1).front(), pattern(77));
}

TEST_P(StoreTransfers, UnknownParameterIsAnErrorThatNamesIt) {
  const std::string uri = uri_ + (uri_.find('?') == std::string::npos ? "?" : "&") + "nonsense=1";
  const Status status = context_->open(uri, {.mode = OpenMode::create}).error();
  EXPECT_EQ(status.code(), Code::invalid_argument);
  EXPECT_NE(status.to_string().find("nonsense"), std::string::npos) << status.to_string();
}

GPUIO_FOR_ALL_STORES(StoreTransfers);

}  // namespace
}  // namespace gpuio::tests
