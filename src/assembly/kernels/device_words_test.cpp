// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <numeric>
#include <thread>

#include "assembly/kernels/device_test.h"
#include "core/view/delegate.h"

// update_words on every device, by its own atomic operations and by a delegate on the host, against plain loops.
namespace gpuio::assembly {
namespace {

using dev::AtomicOp;
using dev::Scope;
using dev::ValueType;

constexpr std::uint32_t kQueues = 4;
constexpr std::uint64_t kPatienceNs = 30'000'000'000;

/// A ring for kernels of a device, and a thread that serves it.
class Owner {
 public:
  Owner(std::byte* words, std::uint64_t words_bytes, std::byte* shared, std::byte* own)
      : ring_{reinterpret_cast<dev::TaggedWord*>(shared), own, words_bytes, kPatienceNs, kQueues, dev::kSlotsMin},
        server_(words, ring_),
        thread_([this](const std::stop_token& stop) {
          unsigned idle = 0;
          while (!stop.stop_requested()) {
            idle = server_.serve() == 0 ? idle + 1 : 0;
            dev::pause(idle);
          }
        }) {}

  static constexpr std::size_t kSharedBytes = std::size_t{3} * kQueues * dev::kSlotsMin * sizeof(dev::TaggedWord);
  static constexpr std::size_t kOwnBytes = dev::kOwnLineBytes + kQueues * dev::DelegateQueue::own_bytes(dev::kSlotsMin);

  [[nodiscard]] const dev::DelegateRing& ring() const { return ring_; }
  [[nodiscard]] std::uint64_t served() const { return server_.served(); }

 private:
  dev::DelegateRing ring_;
  core::DelegateServer server_;
  std::jthread thread_;
};

class DeviceWords : public DeviceTest {
 protected:
  /// Memory with these values; words of host memory are for a delegate.
  template <class T>
  std::byte* place(const std::vector<T>& values, RegionKind kind = RegionKind::device) {
    std::byte* memory = allocate(std::max<std::size_t>(values.size() * sizeof(T), 8), kind);
    upload(memory, std::as_bytes(std::span(values)));
    return memory;
  }
  template <class T>
  std::vector<T> fetch(const std::byte* memory, std::size_t count) {
    std::vector<T> values(count);
    if (count > 0) std::memcpy(values.data(), download(memory, count * sizeof(T)).data(), count * sizeof(T));
    return values;
  }

  std::unique_ptr<Owner> own(std::byte* words, std::uint64_t bytes) {
    std::byte* shared = allocate(Owner::kSharedBytes, RegionKind::pinned);
    std::memset(shared, 0, Owner::kSharedBytes);
    return std::make_unique<Owner>(words, bytes, shared, place(std::vector<std::uint8_t>(Owner::kOwnBytes)));
  }

  void run(const spi::WordsArguments& list) {
    const spi::StreamHandle queue = stream();
    expect_ok(device().launch(queue, spi::KernelId::update_words, &list));
    expect_ok(device().synchronize(queue));
  }

  /// How many a test can wait for: on the host one is under way at a time, on a GPU thousands are.
  [[nodiscard]] std::uint64_t delegated_count() { return device().memory_is_host() ? 1000 : 20'000; }

  template <class T>
  void expect_different_words_are_updated(AtomicOp op, bool delegated);
  void expect_sums(bool delegated, std::size_t words, std::size_t count);
};

/// Each word once, in a random order, so that the result is a loop's.
template <class T>
void DeviceWords::expect_different_words_are_updated(AtomicOp op, bool delegated) {
  const std::size_t words_count = delegated ? delegated_count() / 20 : 500;
  std::vector<T> model(words_count);
  std::vector<T> operands(words_count);
  std::vector<T> expected(words_count);
  std::vector<std::uint32_t> ids(words_count);
  for (std::size_t i = 0; i < words_count; ++i) {
    model[i] = static_cast<T>(random_.uniform(4));
    operands[i] = static_cast<T>(random_.uniform(4));
    expected[i] = static_cast<T>(random_.uniform(4));
    ids[i] = static_cast<std::uint32_t>(i * 7 % words_count);
  }
  std::byte* words = place(model, delegated ? RegionKind::pinned : RegionKind::device);
  const std::unique_ptr<Owner> owner = delegated ? own(words, words_count * sizeof(T)) : nullptr;
  std::byte* old = allocate(words_count * sizeof(T));
  std::uint32_t* status = allocate_word();
  spi::WordsArguments list{};
  list.words = delegated ? nullptr : words;
  list.count = words_count;
  list.bytes = words_count * sizeof(T);
  list.ids = place(ids);
  list.operands = place(operands);
  list.expected = op == AtomicOp::compare_exchange ? place(expected) : nullptr;
  list.old = old;
  list.status = status;
  if (delegated) list.ring = owner->ring();
  list.op = op;
  list.type = dev::value_type<T>();
  list.scope = Scope::device;
  list.id_bytes = 4;
  run(list);
  const std::vector<T> was = fetch<T>(old, words_count);
  for (std::size_t i = 0; i < words_count; ++i) {
    ASSERT_EQ(was[i], model[ids[i]]) << i;
    dev::apply<Scope::device>(op, model[ids[i]], operands[i], expected[i], dev::Order::relaxed);
  }
  EXPECT_EQ(fetch<T>(words, words_count), model);
  EXPECT_EQ(*status, 0U);
}

TEST_F(DeviceWords, EveryOperationOnEveryTypeEqualsALoop) {
  for (int code = 0; code <= static_cast<int>(AtomicOp::compare_exchange); ++code) {
    const auto op = static_cast<AtomicOp>(code);
    for (const bool delegated : {false, true}) {
      SCOPED_TRACE(testing::Message() << "operation " << code << (delegated ? " delegated" : " native"));
      expect_different_words_are_updated<std::int32_t>(op, delegated);
      expect_different_words_are_updated<std::uint32_t>(op, delegated);
      expect_different_words_are_updated<std::int64_t>(op, delegated);
      expect_different_words_are_updated<std::uint64_t>(op, delegated);
      if (!dev::applies(op, ValueType::f32)) continue;
      expect_different_words_are_updated<float>(op, delegated);
      expect_different_words_are_updated<double>(op, delegated);
    }
  }
}

/// Many operations on few words: all of them count.
void DeviceWords::expect_sums(bool delegated, std::size_t words, std::size_t count) {
  std::vector<std::uint64_t> model(words);
  std::vector<std::uint64_t> operands(count);
  std::vector<std::uint64_t> ids(count);
  std::byte* sums = place(model, delegated ? RegionKind::pinned : RegionKind::device);
  for (std::size_t i = 0; i < count; ++i) {
    ids[i] = random_.uniform(words);
    operands[i] = random_.uniform(1000);
    model[ids[i]] += operands[i];
  }
  const std::unique_ptr<Owner> owner = delegated ? own(sums, words * 8) : nullptr;
  std::uint32_t* status = allocate_word();
  spi::WordsArguments list{};
  list.words = delegated ? nullptr : sums;
  list.count = count;
  list.bytes = words * 8;
  list.ids = place(ids);
  list.operands = place(operands);
  list.status = status;
  if (delegated) list.ring = owner->ring();
  list.op = AtomicOp::add;
  list.type = ValueType::u64;
  list.scope = Scope::device;
  list.id_bytes = 8;
  run(list);
  EXPECT_EQ(fetch<std::uint64_t>(sums, words), model);
  EXPECT_EQ(*status, 0U);
  if (delegated) {
    EXPECT_EQ(owner->served(), count);
  }
}

TEST_F(DeviceWords, WordsThatManyOperationsMeetAtLoseNone) {
  expect_sums(false, 1, 100'000);
  expect_sums(false, 37, 300'000);
}

TEST_F(DeviceWords, DelegatedOperationsThatMeetLoseNone) {
  expect_sums(true, 1, delegated_count() / 4);
  expect_sums(true, 37, delegated_count());
}

TEST_F(DeviceWords, WithoutIdsTheIthOperationIsOnTheIthWord) {
  std::vector<std::int32_t> values(1000);
  std::iota(values.begin(), values.end(), -500);
  std::byte* words = place(std::vector<std::int32_t>(1000));
  spi::WordsArguments list{};
  list.words = words;
  list.count = 1000;
  list.bytes = 4000;
  list.operands = place(values);
  list.op = AtomicOp::exchange;
  list.type = ValueType::i32;
  list.scope = Scope::device;
  run(list);
  EXPECT_EQ(fetch<std::int32_t>(words, 1000), values);
}

TEST_F(DeviceWords, IdsOutsideAreReportedAndTheOthersDone) {
  for (const bool delegated : {false, true}) {
    std::vector<std::uint32_t> ids(300);
    std::iota(ids.begin(), ids.end(), 0);
    ids[123] = 300;
    std::byte* words = place(std::vector<std::uint32_t>(300), delegated ? RegionKind::pinned : RegionKind::device);
    const std::unique_ptr<Owner> owner = delegated ? own(words, 1200) : nullptr;
    std::uint32_t* status = allocate_word();
    spi::WordsArguments list{};
    list.words = delegated ? nullptr : words;
    list.count = 300;
    list.bytes = 1200;
    list.ids = place(ids);
    list.operands = place(std::vector<std::uint32_t>(300, 1));
    list.status = status;
    if (delegated) list.ring = owner->ring();
    list.op = AtomicOp::add;
    list.type = ValueType::u32;
    list.scope = Scope::device;
    list.id_bytes = 4;
    run(list);
    std::vector<std::uint32_t> model(300, 1);
    model[123] = 0;
    EXPECT_EQ(fetch<std::uint32_t>(words, 300), model);
    EXPECT_EQ(*status, 124U);
  }
}

TEST_F(DeviceWords, DelegatedOperationsAddUpWithTheHostsOwnAtTheSameTime) {
  std::byte* words = place(std::vector<std::uint64_t>(1), RegionKind::pinned);
  const std::unique_ptr<Owner> owner = own(words, 8);
  std::jthread host([words] {
    const dev::Atomic<std::uint64_t> word(*reinterpret_cast<std::uint64_t*>(words));
    for (int i = 0; i < 10'000; ++i) word.fetch_add(1, dev::Order::relaxed);
  });
  spi::WordsArguments list{};
  list.count = delegated_count();
  list.bytes = 8;
  list.ids = place(std::vector<std::uint32_t>(list.count));
  list.operands = place(std::vector<std::uint64_t>(list.count, 1));
  list.ring = owner->ring();
  list.op = AtomicOp::add;
  list.type = ValueType::u64;
  list.id_bytes = 4;
  run(list);
  host.join();
  EXPECT_EQ(*reinterpret_cast<std::uint64_t*>(words), 10'000 + list.count);
}

TEST_F(DeviceWords, KernelsThatNobodyAnswersEndAndReport) {
  std::byte* shared = allocate(Owner::kSharedBytes, RegionKind::pinned);
  std::memset(shared, 0, Owner::kSharedBytes);
  std::uint32_t* status = allocate_word();
  spi::WordsArguments list{};
  list.count = 100;
  list.bytes = 8;
  list.ids = place(std::vector<std::uint32_t>(100));
  list.operands = place(std::vector<std::uint64_t>(100, 1));
  list.status = status;
  list.ring = {reinterpret_cast<dev::TaggedWord*>(shared),
               place(std::vector<std::uint8_t>(Owner::kOwnBytes)),
               8,
               1'000'000,
               kQueues,
               dev::kSlotsMin};
  list.op = AtomicOp::add;
  list.type = ValueType::u64;
  list.id_bytes = 4;
  run(list);
  EXPECT_TRUE(*status >= 1 && *status <= 100) << *status;
}

}  // namespace
}  // namespace gpuio::assembly
