// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <barrier>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "gpuio/dev/atomics.h"
#include "gpuio/dev/view.h"

// What the orders of dev/atomics.h and the loads and stores of dev/view.h promise between threads: the litmus tests of
// the memory-model literature. Each is played on many sets of words in a row, by all threads at once, again and again.
// A forbidden outcome fails; TSan fails on a plain access that the orders don't cover. tests/gpu has those between host
// code and kernels.
namespace gpuio::dev {
namespace {

constexpr std::size_t kSets = 200;
constexpr int kRounds = 40;

/// Words on lines of their own, as Views and by atomic operations; `set` is which game they are of.
class Memory {
 public:
  Memory() : lines_(kSets * kWords) {}

  Atomic<std::uint64_t> at(std::size_t set, std::size_t word) { return Atomic<std::uint64_t>(line(set, word)); }
  View<std::uint64_t, Checks::on> view(std::size_t set, std::size_t word) {
    return View<std::uint64_t, Checks::on>(ViewSource{.data = &line(set, word), .bytes = sizeof(std::uint64_t)});
  }
  void clear() {
    for (Line& line : lines_) line.word = 0;
  }

 private:
  static constexpr std::size_t kWords = 4;
  struct alignas(128) Line {
    std::uint64_t word = 0;
  };

  std::uint64_t& line(std::size_t set, std::size_t word) { return lines_[set * kWords + word].word; }

  std::vector<Line> lines_;
};

/// Has each of `players`, a thread each, play all sets; after each round `judge` looks at every set.
void play(
    Memory& memory, const std::vector<std::function<void(std::size_t set)>>& players,
    const std::function<void(std::size_t set)>& judge = [](std::size_t) {}) {
  const auto end_round = [&]() noexcept {
    for (std::size_t set = 0; set < kSets; ++set) judge(set);
    memory.clear();
  };
  std::barrier meeting(static_cast<std::ptrdiff_t>(players.size()), end_round);
  std::vector<std::jthread> threads;
  for (const auto& player : players) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        for (std::size_t set = 0; set < kSets; ++set) player(set);
        meeting.arrive_and_wait();
      }
    });
  }
}

/// Looks until `seen`.
template <class Seen>
void await(const Seen& seen) {
  for (unsigned looks = 0; !seen(); ++looks) pause(looks);
}

TEST(Litmus, ReleasedStoresAreSeenByWhoAcquiresTheFlag) {
  Memory memory;
  play(memory, {[&](std::size_t set) {
                  memory.view(set, 0).store(0, set + 1);
                  memory.at(set, 1).store(1, Order::release);
                },
                [&](std::size_t set) {
                  await([&] { return memory.at(set, 1).load(Order::acquire) == 1; });
                  EXPECT_EQ(memory.view(set, 0).load(0), set + 1);
                }});
}

TEST(Litmus, ReadModifyWritesPassTheReleaseOn) {
  Memory memory;
  play(memory, {[&](std::size_t set) {
                  memory.view(set, 0).store(0, set + 1);
                  memory.at(set, 1).fetch_add(1, Order::release);
                },
                [&](std::size_t set) { memory.at(set, 1).fetch_add(1, Order::relaxed); },
                [&](std::size_t set) {
                  await([&] { return memory.at(set, 1).load(Order::acquire) == 2; });
                  EXPECT_EQ(memory.view(set, 0).load(0), set + 1);
                }});
}

TEST(Litmus, SequentialStoresAreNotBothOvertakenByLoads) {
  Memory memory;
  std::array<std::array<std::uint64_t, kSets>, 2> seen{};
  const auto player = [&](std::size_t mine, std::size_t other) {
    return [&memory, &seen, mine, other](std::size_t set) {
      memory.at(set, mine).store(1, Order::sequential);
      seen[mine][set] = memory.at(set, other).load(Order::sequential);
    };
  };
  play(memory, {player(0, 1), player(1, 0)},
       [&](std::size_t set) { EXPECT_TRUE(seen[0][set] == 1 || seen[1][set] == 1); });
}

TEST(Litmus, LoadsDoNotSeeStoresThatWaitForThem) {
  Memory memory;
  std::array<std::array<std::uint64_t, kSets>, 2> seen{};
  const auto player = [&](std::size_t mine, std::size_t other) {
    return [&memory, &seen, mine, other](std::size_t set) {
      seen[mine][set] = memory.at(set, mine).load(Order::acquire);
      memory.at(set, other).store(1, Order::release);
    };
  };
  play(memory, {player(0, 1), player(1, 0)},
       [&](std::size_t set) { EXPECT_FALSE(seen[0][set] == 1 && seen[1][set] == 1); });
}

TEST(Litmus, AllReadersSeeSequentialStoresInOneOrder) {
  Memory memory;
  std::array<std::array<std::uint64_t, kSets>, 4> seen{};
  const auto reader = [&](std::size_t one, std::size_t other, std::size_t at) {
    return [&memory, &seen, one, other, at](std::size_t set) {
      seen[at][set] = memory.at(set, one).load(Order::sequential);
      seen[at + 1][set] = memory.at(set, other).load(Order::sequential);
    };
  };
  play(memory,
       {[&](std::size_t set) { memory.at(set, 0).store(1, Order::sequential); },
        [&](std::size_t set) { memory.at(set, 1).store(1, Order::sequential); }, reader(0, 1, 0), reader(1, 0, 2)},
       [&](std::size_t set) {
         EXPECT_FALSE(seen[0][set] == 1 && seen[1][set] == 0 && seen[2][set] == 1 && seen[3][set] == 0);
       });
}

TEST(Litmus, OneWordNeverGoesBack) {
  Memory memory;
  const auto watch = [&](std::size_t set) {
    const std::uint64_t first = memory.at(set, 0).load(Order::relaxed);
    const std::uint64_t second = memory.at(set, 0).load(Order::relaxed);
    EXPECT_GE(second, first);
  };
  play(memory, {[&](std::size_t set) {
                  for (std::uint64_t i = 1; i <= 8; ++i) memory.at(set, 0).store(i, Order::relaxed);
                },
                watch, watch});
}

TEST(Litmus, ALockByExchangeKeepsOthersOut) {
  Memory memory;
  const auto add_under_the_lock = [&](std::size_t set) {
    await([&] { return memory.at(set, 0).exchange(1, Order::acquire) == 0; });
    memory.view(set, 1).store(0, memory.view(set, 1).load(0) + 1);  // Plain: the lock is all that orders it.
    memory.at(set, 0).store(0, Order::release);
  };
  play(memory, {add_under_the_lock, add_under_the_lock, add_under_the_lock},
       [&](std::size_t set) { EXPECT_EQ(memory.view(set, 1).load(0), 3U); });
}

TEST(Litmus, WhoSeesATagSeesItsValue) {
  Memory memory;
  std::vector<TaggedWord> words(kSets);
  std::vector<std::uint64_t> written(kSets);
  play(memory, {[&](std::size_t set) {
                  ++written[set];
                  store_tagged(&words[set], {written[set] * 3, written[set]});
                },
                [&](std::size_t set) {
                  const TaggedWord seen = load_tagged(&words[set]);
                  EXPECT_GE(seen.value, seen.tag * 3);
                  EXPECT_LE(seen.value, seen.tag * 3 + 3);
                }});
}

}  // namespace
}  // namespace gpuio::dev
