// SPDX-License-Identifier: Apache-2.0
// Random histories of Requests, loads and stores on a Region and on a plain vector: they never differ.
#include <algorithm>
#include <cstring>

#include "regions/region_kinds.h"
#include "support/drawn_layouts.h"

namespace gpuio::tests {
namespace {

class RegionModel : public FilledRegionTest {
 protected:
  Drawn draw(bool distinct) {
    const std::uint64_t unit = 1 + random_.uniform(random_.chance(0.5) ? 300 : 20'000);
    const std::uint64_t pieces = 1 + random_.uniform(std::min<std::uint64_t>(2000, kRegionBytes / 3 / unit));
    return LayoutDraw(random_, {kRegionBytes, unit * pieces, unit, distinct}).draw();
  }

  void put_drawn() {
    const Drawn drawn = draw(true);
    const std::vector<std::byte> bytes = random_bytes(drawn.layout.size_bytes());
    ASSERT_TRUE(context_->copy(lend(bytes), Layout(), memory_, drawn.layout).value().wait().ok());
    copy_by_hand(model_.data(), drawn.extents, bytes.data(), {{0, bytes.size()}});
  }
  void get_drawn() {
    const Drawn drawn = draw(false);
    const std::vector<std::byte> bytes(drawn.layout.size_bytes());
    ASSERT_TRUE(context_->copy(memory_, drawn.layout, lend(bytes), Layout()).value().wait().ok());
    std::vector<std::byte> expected(bytes.size());
    copy_by_hand(expected.data(), {{0, expected.size()}}, model_.data(), drawn.extents);
    ASSERT_TRUE(bytes == expected);
  }
  void fill_part(std::uint64_t offset, std::uint64_t length) {
    const std::vector<std::byte> pattern = random_bytes(1 + random_.uniform(16));
    ASSERT_TRUE(context_->fill(memory_.slice(offset, length).value(), pattern).value().wait().ok());
    for (std::uint64_t i = 0; i < length; ++i) model_[offset + i] = pattern[i % pattern.size()];
  }
  void copy_within(std::uint64_t offset, std::uint64_t length) {
    const std::uint64_t half = length / 2;
    if (half == 0) return;
    const Slice from = memory_.slice(offset, half).value();
    const Slice to = memory_.slice(offset + half, half).value();
    ASSERT_TRUE(context_->copy(from, to).value().wait().ok());
    std::memcpy(&model_[offset + half], &model_[offset], half);
  }
  void store_and_load(std::uint64_t offset, std::uint64_t length) {
    if (!memory_.can(Ability::host_load_store)) return;
    const Pin pin = memory_.slice(offset, length).value().pin().value();
    const View<std::byte> bytes = view<std::byte>(pin).value();
    bytes.acquire(0, length);
    ASSERT_EQ(std::memcmp(bytes.span().data(), &model_[offset], length), 0) << offset << "+" << length;
    std::memset(bytes.span().data(), static_cast<int>(offset & 0xffU), length);
    bytes.release(0, length);
    std::memset(&model_[offset], static_cast<int>(offset & 0xffU), length);
  }

  void step() {
    const std::uint64_t length = 1 + random_.uniform(300'000);
    const std::uint64_t offset = random_.uniform(kRegionBytes - length);
    switch (random_.uniform(5)) {
      case 0:
        return put_drawn();
      case 1:
        return get_drawn();
      case 2:
        return fill_part(offset, length);
      case 3:
        return copy_within(offset, length);
      default:
        return store_and_load(offset, length);
    }
  }
};

TEST_P(RegionModel, RequestsLoadsAndStoresAgreeWithAPlainVector) {
  for (int i = 0; i < 150 && !HasFatalFailure(); ++i) {
    SCOPED_TRACE(i);
    step();
  }
  EXPECT_TRUE(get(memory_) == model_);
  EXPECT_TRUE(memory_.check().ok());
}

GPUIO_FOR_ALL_REGIONS(RegionModel);

}  // namespace
}  // namespace gpuio::tests
