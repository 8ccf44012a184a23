// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "base/mpsc_list.h"
#include "base/mpsc_queue.h"

namespace gpuio::base {
namespace {

constexpr std::uint64_t kProducers = 3;
constexpr std::uint64_t kPerProducer = 20'000;

struct Node {
  Node* next = nullptr;
  std::uint64_t producer = 0;
  std::uint64_t number = 0;
};

// What a consumer checks: each producer's elements arrive in their order, none twice, none lost.
class OrderCheck {
 public:
  void see(std::uint64_t producer, std::uint64_t number) {
    EXPECT_EQ(number, next_.at(producer)++);
    ++seen_;
  }
  [[nodiscard]] bool complete() const { return seen_ == kProducers * kPerProducer; }

 private:
  std::vector<std::uint64_t> next_ = std::vector<std::uint64_t>(kProducers);
  std::uint64_t seen_ = 0;
};

TEST(MpscList, HandsOverOldestFirst) {
  MpscList<Node> list;
  Node a{.number = 1};
  Node b{.number = 2};
  EXPECT_EQ(list.take_all(), nullptr);
  EXPECT_TRUE(list.push(a)) << "the first push wakes";
  EXPECT_FALSE(list.push(b)) << "the second need not";
  Node* taken = list.take_all();
  ASSERT_EQ(taken, &a);
  ASSERT_EQ(taken->next, &b);
  EXPECT_EQ(b.next, nullptr);
  EXPECT_TRUE(list.empty());
}

TEST(MpscList, ChainStaysTogetherAndInOrder) {
  MpscList<Node> list;
  Node alone{.number = 1};
  Node third{.number = 4};
  Node second{.next = &third, .number = 3};
  Node first{.next = &second, .number = 2};
  list.push(alone);
  EXPECT_FALSE(list.push_chain(first, third));
  std::uint64_t expected = 1;
  for (Node* node = list.take_all(); node != nullptr; node = node->next) EXPECT_EQ(node->number, expected++);
  EXPECT_EQ(expected, 5U);
}

TEST(MpscList, ManyProducersLoseNothing) {
  MpscList<Node> list;
  std::vector<std::vector<Node>> nodes(kProducers, std::vector<Node>(kPerProducer));
  std::vector<std::thread> producers;
  for (std::uint64_t p = 0; p < kProducers; ++p) {
    producers.emplace_back([&list, &mine = nodes[p], p] {
      for (std::uint64_t i = 0; i < kPerProducer; ++i) {
        mine[i].producer = p;
        mine[i].number = i;
        list.push(mine[i]);
      }
    });
  }
  OrderCheck check;
  while (!check.complete() && !testing::Test::HasFailure()) {
    for (Node* node = list.take_all(); node != nullptr;) {
      Node* next = node->next;
      check.see(node->producer, node->number);
      node = next;
    }
    std::this_thread::yield();
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_TRUE(list.empty());
}

TEST(MpscQueue, FullPushesBackAndKeepsTheValue) {
  MpscQueue<std::unique_ptr<int>> queue(3);
  ASSERT_EQ(queue.capacity(), 4U);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(queue.try_push(std::make_unique<int>(i)));
  auto fifth = std::make_unique<int>(4);
  EXPECT_FALSE(queue.try_push(std::move(fifth)));
  ASSERT_NE(fifth, nullptr);
  EXPECT_EQ(**queue.try_pop(), 0);
  EXPECT_TRUE(queue.try_push(std::move(fifth)));
  for (int i = 1; i < 5; ++i) EXPECT_EQ(**queue.try_pop(), i);
  EXPECT_EQ(queue.try_pop(), std::nullopt);
}

TEST(MpscQueue, PopLeavesNothingBehindInTheCell) {
  MpscQueue<std::shared_ptr<int>> queue(2);
  const auto value = std::make_shared<int>(1);
  ASSERT_TRUE(queue.try_push(std::shared_ptr<int>(value)));
  (void)queue.try_pop();
  EXPECT_EQ(value.use_count(), 1);
}

TEST(MpscQueue, ManyProducersThroughASmallRingLoseNothing) {
  struct Item {
    std::uint64_t producer = 0;
    std::uint64_t number = 0;
  };
  MpscQueue<Item> queue(8);
  std::vector<std::thread> producers;
  for (std::uint64_t p = 0; p < kProducers; ++p) {
    producers.emplace_back([&queue, p] {
      for (std::uint64_t i = 0; i < kPerProducer; ++i) {
        while (!queue.try_push({p, i})) std::this_thread::yield();
      }
    });
  }
  OrderCheck check;
  while (!check.complete()) {
    if (const std::optional<Item> item = queue.try_pop()) {
      check.see(item->producer, item->number);
    } else {
      std::this_thread::yield();
    }
  }
  for (std::thread& producer : producers) producer.join();
}

}  // namespace
}  // namespace gpuio::base
