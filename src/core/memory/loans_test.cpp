// SPDX-License-Identifier: Apache-2.0
#include "core/memory/loans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <thread>
#include <vector>

#include "base/random.h"
#include "core/testing/fake_device.h"
#include "core/testing/fake_store.h"

namespace gpuio::core {
namespace {

constexpr std::uint64_t kPage = FakeStore::kPageBytes;
constexpr std::uint64_t kWindow = 4 * kPage;

class LoanBookTest : public testing::Test {
 protected:
  void open(std::uint64_t pinned_windows, std::uint64_t registered_windows) {
    pinned_ = std::make_shared<PinnedBudget>(pinned_windows * kWindow);
    book_.emplace(pinned_, registered_windows * kWindow, kWindow);
  }
  Result<Lent> borrow(std::uint64_t offset, std::uint64_t length) {
    return book_->borrow(store_, device_, offset, length);
  }
  /// Borrows a byte of a window and lets go; true if its pages were still registered.
  bool touch(std::uint64_t window) { return borrow(window * kWindow, 1).value().reused(); }

  void expect_nothing_left() {
    EXPECT_EQ(device_->registrations(), 0U);
    EXPECT_EQ(store_->loans_out(), 0U);
    EXPECT_EQ(pinned_->now(), 0U);
    EXPECT_EQ(device_->mistakes() + store_->mistakes(), 0U);
  }

  std::shared_ptr<FakeDevice> device_ = std::make_shared<FakeDevice>();
  std::shared_ptr<FakeStore> store_ = std::make_shared<FakeStore>("fake://a", 8 * kWindow + 100, 1);
  std::shared_ptr<PinnedBudget> pinned_;
  std::optional<LoanBook> book_;
};

TEST_F(LoanBookTest, LentBytesAreTheStoresAndRegisteredForReadingOnly) {
  open(4, 0);
  const Lent lent = borrow(kWindow + 5000, 3000).value();
  EXPECT_EQ(lent.size(), 3000U);
  EXPECT_EQ(lent.address()[0], FakeStore::byte_at(kWindow + 5000));
  EXPECT_EQ(lent.address()[2999], FakeStore::byte_at(kWindow + 7999));
  EXPECT_TRUE(device_->registered_read_only(lent.address() - 5000 % kPage));
  EXPECT_EQ(pinned_->now(), kPage) << "5000 to 8000 is inside one page";
}

TEST_F(LoanBookTest, TransientLoanEndsWithItsLastCopy) {
  open(4, 0);
  std::optional<Lent> first = borrow(0, kWindow).value();
  std::optional<Lent> second = first;
  first.reset();
  EXPECT_EQ(device_->registrations(), 1U);
  second.reset();
  expect_nothing_left();
}

TEST_F(LoanBookTest, FullBudgetPushesBackAndARangeLargerThanItIsAnError) {
  open(1, 0);
  const Lent held = borrow(0, kWindow).value();
  EXPECT_EQ(borrow(kWindow, kPage).error().code(), Code::would_block);
  pinned_ = std::make_shared<PinnedBudget>(kPage);
  book_.emplace(pinned_, 0, kWindow);
  EXPECT_EQ(borrow(0, kWindow).error().code(), Code::resource_exhausted);
}

TEST_F(LoanBookTest, RangesThatCannotBeAreRefused) {
  open(4, 4);
  EXPECT_EQ(borrow(0, 0).error().code(), Code::invalid_argument);
  EXPECT_EQ(borrow(kWindow - 1, 2).error().code(), Code::invalid_argument);
  EXPECT_EQ(borrow(8 * kWindow, 101).error().code(), Code::out_of_range);
  EXPECT_EQ(borrow(~std::uint64_t{0}, 2).error().code(), Code::out_of_range);
  expect_nothing_left();
}

TEST_F(LoanBookTest, WindowsOfTheStoreAreWhereToWindowEndSays) {
  open(4, 0);
  EXPECT_EQ(book_->to_window_end(0), kWindow);
  EXPECT_EQ(book_->to_window_end(kWindow - 1), 1U);
  EXPECT_TRUE(borrow(kWindow - 1, book_->to_window_end(kWindow - 1)));
}

TEST_F(LoanBookTest, SecondLoadFindsItsPagesRegistered) {
  open(1, 16);
  for (std::uint64_t window = 0; window < 9; ++window) EXPECT_FALSE(touch(window));
  const std::size_t calls = device_->register_calls();
  store_ = std::make_shared<FakeStore>("fake://a", 8 * kWindow + 100, 1);
  for (std::uint64_t window = 0; window < 9; ++window) EXPECT_TRUE(touch(window));
  EXPECT_EQ(device_->register_calls(), calls);
  EXPECT_EQ(book_->registered_bytes(), 8 * kWindow + kPage) << "the store's last window is short";
  EXPECT_EQ(pinned_->now(), 0U) << "kept pages have a budget of their own";
}

TEST_F(LoanBookTest, ReusedPagesHoldTheBytesAsked) {
  open(1, 16);
  EXPECT_FALSE(touch(3));
  const Lent lent = borrow(3 * kWindow + 777, 1000).value();
  EXPECT_TRUE(lent.reused());
  for (std::uint64_t i = 0; i < lent.size(); ++i) {
    ASSERT_EQ(lent.address()[i], FakeStore::byte_at(3 * kWindow + 777 + i));
  }
}

TEST_F(LoanBookTest, WithoutARegisteredBudgetNothingIsKept) {
  open(4, 0);
  EXPECT_FALSE(touch(0));
  EXPECT_FALSE(touch(0));
  expect_nothing_left();
}

TEST_F(LoanBookTest, StoreWithoutIdentityIsNeverKept) {
  open(4, 4);
  store_->identity_value = 0;
  EXPECT_FALSE(touch(0));
  EXPECT_FALSE(touch(0));
  expect_nothing_left();
}

TEST_F(LoanBookTest, LeastRecentlyUsedWindowLeavesFirst) {
  open(1, 3);
  for (const unsigned window : {0U, 1U, 2U, 0U}) touch(window);
  touch(3);  // In the place of 1.
  EXPECT_TRUE(touch(0));
  EXPECT_TRUE(touch(2));
  EXPECT_TRUE(touch(3));
  EXPECT_FALSE(touch(1));
  EXPECT_FALSE(touch(0)) << "1 came in the place of 0";
  EXPECT_LE(book_->registered_bytes(), 3 * kWindow);
}

TEST_F(LoanBookTest, WindowInUseDoesNotLeave) {
  open(1, 2);
  const Lent used = borrow(0, 1).value();
  touch(1);
  touch(2);
  EXPECT_TRUE(touch(0));
  EXPECT_FALSE(touch(1));
}

TEST_F(LoanBookTest, WhenAllKeptWindowsAreInUseTheNextLoanIsTransient) {
  open(1, 1);
  const Lent used = borrow(0, 1).value();
  {
    const Lent transient = borrow(kWindow, 1).value();
    EXPECT_EQ(pinned_->now(), kPage);
  }
  EXPECT_EQ(pinned_->now(), 0U);
  EXPECT_EQ(book_->registered_bytes(), kWindow);
}

TEST_F(LoanBookTest, ChangedIdentityDropsTheOldWindowsOfThatStoreOnly) {
  open(1, 8);
  touch(0);
  touch(1);
  const auto other = std::make_shared<FakeStore>("fake://b", kWindow, 9);
  EXPECT_TRUE(book_->borrow(other, device_, 0, 1));
  store_->identity_value = 2;
  EXPECT_FALSE(touch(0));
  EXPECT_EQ(device_->registrations(), 2U) << "window 0 as it is now, and the other store's";
  EXPECT_EQ(store_->loans_out(), 1U);
  EXPECT_TRUE(book_->borrow(other, device_, 0, 1).value().reused());
}

TEST_F(LoanBookTest, WindowInUseSurvivesTheChangeOfItsStore) {
  open(1, 8);
  const Lent old = borrow(0, 1).value();
  store_->identity_value = 2;
  EXPECT_FALSE(touch(0));
  EXPECT_EQ(*old.address(), FakeStore::byte_at(0));
  EXPECT_EQ(device_->registrations(), 2U);
}

TEST_F(LoanBookTest, DevicesKeepTheirOwnWindows) {
  open(1, 8);
  const auto other = std::make_shared<FakeDevice>("fake:1");
  touch(0);
  EXPECT_FALSE(book_->borrow(store_, other, 0, 1).value().reused());
  EXPECT_TRUE(book_->borrow(store_, other, 0, 1).value().reused());
  EXPECT_TRUE(touch(0));
  book_->clear();
  EXPECT_EQ(other->registrations(), 0U);
}

TEST_F(LoanBookTest, FailedRegistrationLeavesNothing) {
  for (const unsigned registered_windows : {0U, 4U}) {
    open(4, registered_windows);
    // A kept window that can't be registered is tried again as a transient one.
    for (int failures = 0; failures < 2; ++failures) {
      device_->registrations_until_failure = 0;
      device_->registration_failure = Code::out_of_memory;
      const Result<Lent> lent = borrow(0, kWindow);
      EXPECT_EQ(lent.status().code(), registered_windows > 0 ? Code::ok : Code::out_of_memory);
    }
    expect_nothing_left();
    EXPECT_EQ(book_->registered_bytes(), 0U);
  }
}

TEST_F(LoanBookTest, WindowThatIsNotAllResidentIsLentInPart) {
  open(4, 4);
  store_->lendable_bytes_max = kPage;
  {
    const Lent lent = borrow(0, kPage).value();
    EXPECT_EQ(book_->registered_bytes(), 0U);
    EXPECT_EQ(pinned_->now(), kPage);
  }
  EXPECT_EQ(borrow(0, 2 * kPage).error().code(), Code::unsupported);
  expect_nothing_left();
}

TEST_F(LoanBookTest, ClearForgetsWhatIsIdleAndWhatIsUsedEndsWithItsLoan) {
  open(1, 8);
  touch(0);
  std::optional<Lent> used = borrow(kWindow, 1).value();
  book_->clear();
  EXPECT_EQ(device_->registrations(), 1U);
  used.reset();
  expect_nothing_left();
}

TEST_F(LoanBookTest, LoanMayOutliveItsBook) {
  open(1, 8);
  std::optional<Lent> kept = borrow(0, 1).value();
  book_.reset();
  EXPECT_EQ(*kept->address(), FakeStore::byte_at(0));
  kept.reset();
  expect_nothing_left();
}

TEST_F(LoanBookTest, KeptWindowHoldsItsStoreUntilItLeaves) {
  open(1, 8);
  touch(0);
  const std::weak_ptr<FakeStore> store = std::exchange(store_, nullptr);
  EXPECT_FALSE(store.expired());
  book_->clear();
  EXPECT_TRUE(store.expired());
}

/// What a LoanBook with one device must do, without memory: an order of window numbers, and who uses them.
class LoanModel {
 public:
  explicit LoanModel(std::uint64_t windows_max) : windows_max_(windows_max) {}

  /// True if the window is found registered; then or otherwise `kept` says whether it now is.
  bool borrow(std::uint64_t window, bool& kept) {
    const auto found = std::ranges::find(order_, window);
    const bool reused = found != order_.end();
    if (reused) order_.erase(found);
    kept = reused || make_room();
    if (kept) order_.push_back(window);
    return reused;
  }
  void use(std::uint64_t window) { ++users_[window]; }
  void leave(std::uint64_t window) { --users_[window]; }
  [[nodiscard]] std::uint64_t kept() const { return order_.size(); }

 private:
  bool make_room() {
    if (order_.size() < windows_max_) return true;
    const auto idle = std::ranges::find_if(order_, [&](std::uint64_t window) { return users_[window] == 0; });
    if (idle == order_.end()) return false;
    order_.erase(idle);
    return true;
  }

  const std::uint64_t windows_max_;
  std::deque<std::uint64_t> order_;
  std::map<std::uint64_t, int> users_;
};

TEST_F(LoanBookTest, BehavesAsItsModelUnderRandomUse) {
  constexpr std::uint64_t kSeed = 20261124;
  constexpr std::uint64_t kKept = 4;
  base::Random random(kSeed);
  open(64, kKept);
  LoanModel model(kKept);
  struct Out {
    Lent lent;
    std::uint64_t window;
    bool kept;
  };
  std::vector<Out> out;
  for (int step = 0; step < 20000; ++step) {
    SCOPED_TRACE(testing::Message() << "seed " << kSeed << " step " << step);
    if (random.chance(0.55) && out.size() < 32) {
      const std::uint64_t window = random.uniform(8);
      const std::uint64_t offset = random.uniform(kWindow);
      const std::uint64_t length = 1 + random.uniform(kWindow - offset);
      bool kept = false;
      const bool reused = model.borrow(window, kept);
      Lent lent = borrow(window * kWindow + offset, length).value();
      ASSERT_EQ(lent.reused(), reused);
      ASSERT_EQ(lent.address()[length - 1], FakeStore::byte_at(window * kWindow + offset + length - 1));
      if (kept) model.use(window);
      out.push_back({std::move(lent), window, kept});
    } else if (!out.empty()) {
      const std::size_t which = random.uniform(out.size());
      std::swap(out[which], out.back());
      if (out.back().kept) model.leave(out.back().window);
      out.pop_back();
    }
    ASSERT_EQ(book_->registered_bytes(), model.kept() * kWindow);
    ASSERT_EQ(device_->registered_bytes(), book_->registered_bytes() + pinned_->now());
  }
  out.clear();
  book_->clear();
  expect_nothing_left();
}

TEST_F(LoanBookTest, ThreadsTogetherNeitherLeakNorPassTheirBudgets) {
  open(8, 3);
  std::atomic<int> reused{0};
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      base::Random random(t + 1);
      for (int i = 0; i < 1500; ++i) {
        if (random.chance(0.01)) store_->identity_value = 1 + random.uniform(2);
        if (random.chance(0.02)) device_->registrations_until_failure = static_cast<int>(random.uniform(3));
        const std::uint64_t offset = random.uniform(8) * kWindow + random.uniform(kPage);
        const Result<Lent> lent = borrow(offset, kPage);
        EXPECT_LE(book_->registered_bytes(), 3 * kWindow);
        if (!lent) continue;
        EXPECT_EQ(lent->address()[kPage - 1], FakeStore::byte_at(offset + kPage - 1));
        if (lent->reused()) ++reused;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(reused, 0);
  EXPECT_LE(pinned_->max(), pinned_->limit());
  book_->clear();
  expect_nothing_left();
}

}  // namespace
}  // namespace gpuio::core
