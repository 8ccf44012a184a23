// SPDX-License-Identifier: Apache-2.0
// Requests to and from memory, the same of every kind of Region.
#include <algorithm>
#include <limits>
#include <numeric>

#include "regions/region_kinds.h"
#include "support/drawn_layouts.h"

namespace gpuio::tests {
namespace {

using Bytes = std::vector<std::byte>;

class RegionTransfers : public FilledRegionTest {
 protected:
  /// `count` extents of `bytes` each in no order, none touching another.
  static std::vector<Extent> scattered(std::uint64_t count, std::uint64_t bytes) {
    const std::uint64_t stride = kRegionBytes / count;
    std::vector<Extent> extents;
    for (std::uint64_t i = 0; i < count; ++i) extents.push_back({i * 997 % count * stride + 3, bytes});
    return extents;
  }
  static Bytes named(const Bytes& bytes, const std::vector<Extent>& extents) {
    Bytes packed;
    for (const Extent& extent : extents) {
      const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(extent.offset);
      packed.insert(packed.end(), begin, begin + static_cast<std::ptrdiff_t>(extent.length));
    }
    return packed;
  }
  void copy(const Slice& from, const Layout& from_layout, const Slice& to, const Layout& to_layout) const {
    const Request request = context_->copy(from, from_layout, to, to_layout).value();
    EXPECT_TRUE(request.wait().ok()) << request.status().to_string() << request.explain();
  }
  /// Copies with a list of either side, and with blocks.
  void check_copies(const Slice& from, const Slice& to) {
    const Bytes there = get(from);
    Bytes expected = get(to);
    const auto check = [&](const Layout& from_layout, const std::vector<Extent>& from_extents, const Layout& to_layout,
                           const std::vector<Extent>& to_extents) {
      copy(from, from_layout, to, to_layout);
      copy_by_hand(expected.data(), to_extents, there.data(), from_extents);
      EXPECT_TRUE(get(to) == expected);
    };
    const std::vector<Extent> list = scattered(1000, 130);
    check(Layout::contiguous(777, 130'000), {{777, 130'000}}, Layout::extents(list), list);
    check(Layout::extents(list), list, Layout::contiguous(1'000'001, 130'000), {{1'000'001, 130'000}});
    check(Layout::contiguous(4096, 1'000'000), {{4096, 1'000'000}}, Layout::contiguous(1, 1'000'000), {{1, 1'000'000}});
  }
};

TEST_P(RegionTransfers, AnyPartComesBackAsItWasPut) {
  for (const auto& [offset, length] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {0, 1}, {1, 4095}, {4093, 7}, {kRegionBytes - 1, 1}, {123, 1U << 20U}, {0, kRegionBytes}}) {
    const Bytes part = random_bytes(length);
    put(memory_.slice(offset, length).value(), part);
    std::ranges::copy(part, model_.begin() + static_cast<std::ptrdiff_t>(offset));
    EXPECT_TRUE(get(memory_.slice(offset, length).value()) == part) << offset << "+" << length;
    EXPECT_TRUE(get(memory_) == model_) << "beside " << offset << "+" << length;
  }
}

TEST_P(RegionTransfers, BytesOfStoresArriveAndGoBack) {
  const std::shared_ptr<FakeStore> fake = fake_->add("store", {.size_bytes = kRegionBytes});
  const OpenOptions create{.mode = OpenMode::create, .size_bytes = kRegionBytes};
  const std::string file = testing::TempDir() + "gpuio-regions-" + std::to_string(::getpid());
  for (const std::string& uri : {std::string("fake://store"), std::string("mem://dram"), "file://" + file}) {
    const Store store = context_->open(uri, create).value();
    const Bytes bytes = random_bytes(kRegionBytes);
    throw_if_failed(context_->write(store, lend(bytes)).value().wait());
    const Slice part = memory_.slice(333, 1'500'000).value();
    throw_if_failed(context_->read(store, Layout::contiguous(99, part.size()), part).value().wait());
    EXPECT_TRUE(get(part) == named(bytes, {{99, part.size()}})) << uri;
    throw_if_failed(
        context_->write(store, Layout::contiguous(7, 500'000), memory_.slice(1000, 500'000).value()).value().wait());
    const Bytes back(500'000);
    throw_if_failed(context_->read(store, Layout::contiguous(7, 500'000), lend(back)).value().wait());
    EXPECT_TRUE(back == get(memory_.slice(1000, 500'000).value())) << uri;
  }
  ::unlink(file.c_str());
}

TEST_P(RegionTransfers, ManySmallExtentsArriveInTheirOrder) {
  const std::vector<Extent> list = scattered(3000, 100);
  const Bytes packed(3000 * 100);
  copy(memory_, Layout::extents(list), lend(packed), Layout());
  EXPECT_TRUE(packed == named(model_, list));

  const Bytes other = random_bytes(packed.size());
  copy(lend(other), Layout(), memory_, Layout::extents(list));
  copy_by_hand(model_.data(), list, other.data(), {{0, other.size()}});
  EXPECT_TRUE(get(memory_) == model_);
}

TEST_P(RegionTransfers, RowsAreGatheredAndScatteredById) {
  for (const std::uint64_t row_bytes : {1U, 24U, 128U, 656U}) {
    SCOPED_TRACE(row_bytes);
    const std::uint64_t stride = row_bytes + 8;
    std::vector<std::uint64_t> ids(kRegionBytes / stride / 2);
    std::iota(ids.begin(), ids.end(), 5);
    for (std::uint64_t i = ids.size() - 1; i > 0; --i) std::swap(ids[i], ids[random_.uniform(i + 1)]);
    ids.resize(std::min<std::size_t>(ids.size(), 5000));
    std::vector<Extent> extents;
    for (const std::uint64_t id : ids) extents.push_back({40 + id * stride, row_bytes});
    const Layout rows = Layout::rows({40, row_bytes, stride, ids});
    const Bytes packed(ids.size() * row_bytes);
    copy(memory_, rows, lend(packed), Layout());
    ASSERT_TRUE(packed == named(model_, extents));
    const Bytes other = random_bytes(packed.size());
    copy(lend(other), Layout(), memory_, rows);
    copy_by_hand(model_.data(), extents, other.data(), {{0, other.size()}});
    ASSERT_TRUE(get(memory_) == model_);
  }
}

TEST_P(RegionTransfers, EveryByteOfAFillIsThePatterns) {
  for (std::size_t size = 1; size <= 16; ++size) {
    const Bytes pattern = random_bytes(size);
    const std::uint64_t bytes = 1 + random_.uniform(kRegionBytes);
    const std::uint64_t offset = random_.uniform(kRegionBytes - bytes + 1);
    for (std::uint64_t i = 0; i < bytes; ++i) model_[offset + i] = pattern[i % size];
    const Request request = context_->fill(memory_.slice(offset, bytes).value(), pattern).value();
    ASSERT_TRUE(request.wait().ok()) << request.status().to_string();
    ASSERT_TRUE(get(memory_) == model_) << size << request.explain();
  }
}

TEST_P(RegionTransfers, CopiesGoToEveryKindAndComeFromIt) {
  for (const KindOfRegion& kind : region_kinds()) {
    const Result<Buffer> other = make(kind);
    if (!other) continue;  // Its own cases say why.
    SCOPED_TRACE(kind.name);
    if (kind.is_accelerators_own() && GetParam().is_accelerators_own() && kind.driver() != GetParam().driver()) {
      EXPECT_EQ(context_->copy(memory_, *other).error().code(), Code::unsupported) << "drivers know nothing of others";
      continue;
    }
    put(*other, random_bytes(kRegionBytes));
    check_copies(memory_, *other);
    check_copies(*other, memory_);
  }
}

TEST_P(RegionTransfers, PastTheEndIsRefusedAndNothingHasChanged) {
  const Bytes bytes(4096);
  const Buffer other = lend(bytes);
  const std::shared_ptr<FakeStore> fake = fake_->add("store", {.size_bytes = kRegionBytes});
  const Store store = context_->open("fake://store").value();
  const std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t offset : {kRegionBytes - 4095, kRegionBytes, huge - 10}) {
    const Layout outside = Layout::contiguous(offset, 4096);
    EXPECT_EQ(context_->copy(other, Layout(), memory_, outside).error().code(), Code::out_of_range) << offset;
    EXPECT_EQ(context_->copy(memory_, outside, other, Layout()).error().code(), Code::out_of_range) << offset;
    EXPECT_EQ(memory_.slice(offset, 4096).error().code(), Code::out_of_range) << offset;
    const Transfer transfer{store, Layout::contiguous(0, 4096), memory_, outside};
    EXPECT_EQ(context_->read(std::span(&transfer, 1)).error().code(), Code::out_of_range) << offset;
    EXPECT_EQ(context_->write(std::span(&transfer, 1)).error().code(), Code::out_of_range) << offset;
  }
  EXPECT_EQ(context_->statistics().requests_outstanding, 0U);
  EXPECT_TRUE(get(memory_) == model_);
}

GPUIO_FOR_ALL_REGIONS(RegionTransfers);

}  // namespace
}  // namespace gpuio::tests
