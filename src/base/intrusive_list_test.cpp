// SPDX-License-Identifier: Apache-2.0
#include "base/intrusive_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/random.h"

namespace gpuio::base {
namespace {

using testing::ElementsAre;

struct ByAge;
struct Item : ListHook<>, ListHook<ByAge> {
  explicit Item(int given_id = 0) : id(given_id) {}
  int id;
};
using List = IntrusiveList<Item>;

std::vector<int> ids(List& list) {
  std::vector<int> result;
  for (const Item& item : list) result.push_back(item.id);
  return result;
}

TEST(IntrusiveList, KeepsOrderFromBothEnds) {
  Item a(1);
  Item b(2);
  Item c(3);
  List list;
  EXPECT_TRUE(list.empty());
  list.push_back(b);
  list.push_back(c);
  list.push_front(a);
  EXPECT_THAT(ids(list), ElementsAre(1, 2, 3));
  EXPECT_EQ(list.front().id, 1);
  EXPECT_EQ(list.back().id, 3);
  EXPECT_EQ((--list.end())->id, 3);
  EXPECT_EQ(&list.pop_front(), &a);
  EXPECT_FALSE(a.ListHook<>::is_linked());
  EXPECT_THAT(ids(list), ElementsAre(2, 3));
}

TEST(IntrusiveList, ObjectIsInOneListPerTag) {
  Item a(1);
  Item b(2);
  List list;
  IntrusiveList<Item, ByAge> by_age;
  list.push_back(a);
  list.push_back(b);
  by_age.push_back(b);
  by_age.push_back(a);
  list.erase(a);
  EXPECT_THAT(ids(list), ElementsAre(2));
  EXPECT_EQ(by_age.back().id, 1);
}

TEST(IntrusiveList, DestroyedListUnlinksItsElements) {
  Item a(1);
  {
    List list;
    list.push_back(a);
    EXPECT_TRUE(a.ListHook<>::is_linked());
  }
  EXPECT_FALSE(a.ListHook<>::is_linked());
}

TEST(IntrusiveList, BehavesAsAVectorUnderRandomCalls) {
  constexpr std::size_t kItems = 20;
  std::array<Item, kItems> items;
  for (std::size_t i = 0; i < kItems; ++i) items[i].id = static_cast<int>(i);
  List list;
  std::vector<int> model;
  Random random(17);
  for (int step = 0; step < 20'000; ++step) {
    Item& item = items[random.uniform(kItems)];
    if (item.ListHook<>::is_linked()) {
      const auto in_model = std::ranges::find(model, item.id);
      const auto next_in_model = model.erase(in_model);
      const auto next = list.erase(item);
      ASSERT_EQ(next == list.end(), next_in_model == model.end());
      if (next != list.end()) {
        ASSERT_EQ(next->id, *next_in_model);
      }
    } else if (random.chance(0.3)) {
      list.push_front(item);
      model.insert(model.begin(), item.id);
    } else if (random.chance(0.5)) {
      list.push_back(item);
      model.push_back(item.id);
    } else {
      const auto place = static_cast<std::ptrdiff_t>(random.uniform(model.size() + 1));
      list.insert_before(std::next(list.begin(), place), item);
      model.insert(model.begin() + place, item.id);
    }
    ASSERT_EQ(ids(list), model);
  }
}

}  // namespace
}  // namespace gpuio::base
