// SPDX-License-Identifier: Apache-2.0
#include "base/object_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <thread>

namespace gpuio::base {
namespace {

struct alignas(64) Object {
  explicit Object(int given_value) : value(given_value) {
    if (given_value < 0) throw std::invalid_argument("negative");
    ++living;
  }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  ~Object() { --living; }

  int value;
  static inline std::atomic<int> living{0};
};

TEST(ObjectPool, ConstructsAndDestroysEachObject) {
  ObjectPool<Object> pool;
  Object* a = pool.create(1);
  Object* b = pool.create(2);
  EXPECT_EQ(a->value, 1);
  EXPECT_EQ(b->value, 2);
  EXPECT_EQ(Object::living, 2);
  pool.destroy(a);
  pool.destroy(b);
  EXPECT_EQ(Object::living, 0);
}

TEST(ObjectPool, AddressesAreAlignedDistinctAndStableWhileItGrows) {
  ObjectPool<Object> pool;
  std::set<Object*> objects;
  for (int i = 0; i < 5000; ++i) objects.insert(pool.create(i));
  EXPECT_EQ(objects.size(), 5000U);
  std::set<int> values;
  for (Object* object : objects) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(object) % alignof(Object), 0U);
    values.insert(object->value);
    pool.destroy(object);
  }
  EXPECT_EQ(values.size(), 5000U);
}

TEST(ObjectPool, ReusesMemoryInsteadOfGrowing) {
  ObjectPool<Object> pool;
  Object* first = pool.create(1);
  const std::size_t capacity = pool.capacity();
  pool.destroy(first);
  for (int i = 0; i < 100'000; ++i) pool.destroy(pool.create(i));
  EXPECT_EQ(pool.capacity(), capacity);
}

TEST(ObjectPool, ThrowingConstructorGivesItsMemoryBack) {
  ObjectPool<Object> pool;
  for (int i = 0; i < 1000; ++i) EXPECT_THROW((void)pool.create(-1), std::invalid_argument);
  EXPECT_LE(pool.capacity(), 16U);
  EXPECT_EQ(Object::living, 0);
}

TEST(ObjectPool, ThreadsNeverGetTheSameObject) {
  ObjectPool<Object> pool;
  std::vector<std::thread> threads;
  std::atomic<int> clashes{0};
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&pool, &clashes, t] {
      for (int i = 0; i < 20'000; ++i) {
        Object* object = pool.create(t);
        if (i % 16 == 0) std::this_thread::yield();
        if (object->value != t) ++clashes;
        pool.destroy(object);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(clashes, 0);
  EXPECT_EQ(Object::living, 0);
}

}  // namespace
}  // namespace gpuio::base
