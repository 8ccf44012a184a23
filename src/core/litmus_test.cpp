// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "gpuio/dev/atomics.h"
#include "gpuio/dev/view.h"

// What the orders of dev/atomics.h and the loads and stores of dev/view.h promise between threads: the litmus tests of
// the memory-model literature, each run many times with all threads let loose at once. A forbidden outcome fails; TSan
// fails on a plain access that the orders don't cover. tests/gpu has those between host code and kernels.
namespace gpuio::dev {
namespace {

constexpr int kRounds = 2000;

/// Runs all of `threads` side by side, round by round: none starts a round before all have ended the one before.
void run_rounds(const std::vector<std::function<void()>>& threads, const std::function<void()>& check) {
  const auto count = static_cast<std::uint32_t>(threads.size());
  std::atomic<std::uint32_t> arrived{0};
  std::atomic<std::uint32_t> round{0};
  const auto meet = [&](const std::function<void()>& last) {
    const std::uint32_t now = round.load();
    if (arrived.fetch_add(1) + 1 == count) {
      last();
      arrived = 0;
      round = now + 1;
      return;
    }
    for (unsigned looks = 0; round.load() == now; ++looks) pause(looks);
  };
  std::vector<std::jthread> running;
  for (const std::function<void()>& thread : threads) {
    running.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        meet([] {});
        thread();
        meet(check);
      }
    });
  }
}

/// Words on lines of their own, as a View and by atomic operations.
struct Memory {
  struct alignas(128) Line {
    std::uint64_t word = 0;
  };
  std::array<Line, 4> lines{};

  Atomic<std::uint64_t> at(std::size_t i) { return Atomic<std::uint64_t>(lines[i].word); }
  View<std::uint64_t, Checks::on> view(std::size_t i) {
    return View<std::uint64_t, Checks::on>(ViewSource{.data = &lines[i].word, .bytes = 8});
  }
};

TEST(Litmus, ReleasedStoresAreSeenByWhoAcquiresTheFlag) {
  Memory memory;
  std::uint64_t round = 0;
  run_rounds({[&] {
                memory.view(0).store(0, round + 1);
                memory.at(1).store(round + 1, Order::release);
              },
              [&] {
                for (unsigned looks = 0; memory.at(1).load(Order::acquire) != round + 1; ++looks) pause(looks);
                EXPECT_EQ(memory.view(0).load(0), round + 1);
              }},
             [&] { ++round; });
}

TEST(Litmus, ReadModifyWritesPassTheReleaseOn) {
  Memory memory;
  std::uint64_t round = 0;
  run_rounds({[&] {
                memory.view(0).store(0, round + 1);
                memory.at(1).fetch_add(1, Order::release);
              },
              [&] { memory.at(1).fetch_add(1, Order::relaxed); },
              [&] {
                for (unsigned looks = 0; memory.at(1).load(Order::acquire) < 2 * round + 2; ++looks) pause(looks);
                EXPECT_EQ(memory.view(0).load(0), round + 1);
              }},
             [&] { ++round; });
}

TEST(Litmus, SequentialStoresAreNotBothOvertakenByLoads) {
  Memory memory;
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  run_rounds({[&] {
                memory.at(0).store(1, Order::sequential);
                first = memory.at(1).load(Order::sequential);
              },
              [&] {
                memory.at(1).store(1, Order::sequential);
                second = memory.at(0).load(Order::sequential);
              }},
             [&] {
               EXPECT_TRUE(first == 1 || second == 1);
               memory.at(0).store(0);
               memory.at(1).store(0);
             });
}

TEST(Litmus, LoadsDoNotSeeStoresThatWaitForThem) {
  Memory memory;
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  run_rounds({[&] {
                first = memory.at(0).load(Order::acquire);
                memory.at(1).store(1, Order::release);
              },
              [&] {
                second = memory.at(1).load(Order::acquire);
                memory.at(0).store(1, Order::release);
              }},
             [&] {
               EXPECT_FALSE(first == 1 && second == 1);
               memory.at(0).store(0);
               memory.at(1).store(0);
             });
}

TEST(Litmus, AllReadersSeeSequentialStoresInOneOrder) {
  Memory memory;
  std::array<std::uint64_t, 4> seen{};
  const auto read = [&](std::size_t one, std::size_t other, std::size_t at) {
    seen[at] = memory.at(one).load(Order::sequential);
    seen[at + 1] = memory.at(other).load(Order::sequential);
  };
  run_rounds({[&] { memory.at(0).store(1, Order::sequential); }, [&] { memory.at(1).store(1, Order::sequential); },
              [&] { read(0, 1, 0); }, [&] { read(1, 0, 2); }},
             [&] {
               EXPECT_FALSE(seen[0] == 1 && seen[1] == 0 && seen[2] == 1 && seen[3] == 0);
               memory.at(0).store(0);
               memory.at(1).store(0);
             });
}

TEST(Litmus, OneWordNeverGoesBack) {
  Memory memory;
  std::uint64_t round = 0;
  const auto watch = [&] {
    std::uint64_t last = 0;
    for (int i = 0; i < 20; ++i) {
      const std::uint64_t now = memory.at(0).load(Order::relaxed);
      EXPECT_GE(now, last);
      last = now;
    }
  };
  run_rounds({[&] {
                for (std::uint64_t i = 1; i <= 20; ++i) memory.at(0).store(round * 20 + i, Order::relaxed);
              },
              watch, watch},
             [&] { ++round; });
}

TEST(Litmus, ALockByExchangeKeepsOthersOut) {
  Memory memory;
  const auto add_under_the_lock = [&] {
    for (unsigned looks = 0; memory.at(0).exchange(1, Order::acquire) != 0; ++looks) pause(looks);
    memory.view(1).store(0, memory.view(1).load(0) + 1);  // Plain: the lock is all that orders it.
    memory.at(0).store(0, Order::release);
  };
  run_rounds({add_under_the_lock, add_under_the_lock, add_under_the_lock}, [] {});
  EXPECT_EQ(memory.view(1).load(0), 3U * kRounds);
}

TEST(Litmus, WhoSeesATagSeesItsValue) {
  TaggedWord word{};
  std::uint64_t round = 0;
  run_rounds({[&] { store_tagged(&word, {(round + 1) * 3, round + 1}); },
              [&] {
                TaggedWord seen{};
                for (unsigned looks = 0; seen.tag != round + 1; ++looks) {
                  seen = load_tagged(&word);
                  pause(looks);
                }
                EXPECT_EQ(seen.value, (round + 1) * 3);
              }},
             [&] { ++round; });
}

}  // namespace
}  // namespace gpuio::dev
