// SPDX-License-Identifier: Apache-2.0
// Random histories of Requests, loads and stores on a Store and on a plain vector: they never differ.
#include "base/random.h"
#include "stores/store_kinds.h"

namespace gpuio::tests {
namespace {

constexpr std::uint64_t kPieceMax = 300'000;

class StoreModel : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    mapped_ = context_->map(store_, {.length = kStoreBytes, .access = MapAccess::read_write}).value();
    scratch_ = host_->allocate(kPieceMax).value();
    model_.resize(kStoreBytes);
    for (std::uint64_t i = 0; i < kStoreBytes; ++i) model_[i] = pattern(i);
  }

  void step(base::Random& random) {
    const std::uint64_t length = 1 + random.next() % kPieceMax;
    const std::uint64_t offset = random.next() % (kStoreBytes - length);
    const auto value = static_cast<int>(random.next() & 0xffU);
    const Layout extent = Layout::contiguous(offset, length);
    const Slice scratch = scratch_.slice(0, length).value();
    switch (random.next() % 5) {
      case 0:
        std::memset(scratch_.data(), value, length);
        ASSERT_TRUE(context_->write(store_, extent, scratch).value().wait().ok());
        std::memset(&model_[offset], value, length);
        return;
      case 1:
        std::memset(mapped_.data() + offset, value, length);
        std::memset(&model_[offset], value, length);
        return;
      case 2:
        ASSERT_TRUE(context_->read(store_, extent, scratch).value().wait().ok());
        ASSERT_EQ(std::memcmp(scratch_.data(), &model_[offset], length), 0) << "read of " << offset << "+" << length;
        return;
      case 3:
        ASSERT_TRUE(context_->copy(mapped_.slice(offset, length).value(), scratch).value().wait().ok());
        ASSERT_EQ(std::memcmp(scratch_.data(), &model_[offset], length), 0) << "copy of " << offset << "+" << length;
        return;
      default:
        ASSERT_EQ(std::memcmp(mapped_.data() + offset, &model_[offset], length), 0) << "at " << offset << "+" << length;
    }
  }

  Buffer mapped_;
  Buffer scratch_;
  std::vector<std::byte> model_;
};

TEST_P(StoreModel, RequestsLoadsAndStoresAgreeWithAPlainVector) {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    SCOPED_TRACE(seed);
    base::Random random(seed);
    for (int i = 0; i < 200 && !HasFatalFailure(); ++i) step(random);
  }
  EXPECT_TRUE(mapped_.check().ok());
}

GPUIO_FOR_ALL_STORES(StoreModel);

}  // namespace
}  // namespace gpuio::tests
