// SPDX-License-Identifier: Apache-2.0
#include <thread>

#include "assembly/kernels/device_test.h"

// Streams, events, words and graphs.
namespace gpuio::assembly {
namespace {

class DeviceStream : public DeviceTest {
 protected:
  void fill(spi::StreamHandle queue, std::byte* memory, int value, std::size_t bytes = 64) {
    expect_ok(device().fill(queue, memory, std::byte(value), bytes));
  }
  void copy(spi::StreamHandle queue, const std::byte* source, std::byte* destination, std::size_t bytes = 64) {
    const spi::CopySegment segment{source, destination, bytes};
    expect_ok(device().copy(queue, {&segment, 1}));
  }
  int first_byte(const std::byte* memory) { return std::to_integer<int>(download(memory, 1)[0]); }
};

TEST_F(DeviceStream, WorkRunsInTheOrderItWasQueued) {
  const spi::StreamHandle queue = stream();
  std::byte* memory = allocate(64);
  std::byte* log = allocate(200 * 64);
  for (int i = 0; i < 200; ++i) {
    fill(queue, memory, i);
    copy(queue, memory, log + std::ptrdiff_t{64} * i);
  }
  expect_ok(device().synchronize(queue));
  const auto bytes = download(log, 200 * 64);
  for (std::size_t i = 0; i < 200; ++i) ASSERT_EQ(std::to_integer<std::size_t>(bytes[i * 64]), i);
}

TEST_F(DeviceStream, QueuedWorkWaitsForItsWordAndTheCallerDoesNot) {
  const spi::StreamHandle queue = stream();
  const spi::EventHandle done = event();
  std::uint32_t* word = allocate_word();
  std::byte* memory = allocate(64, RegionKind::pinned);
  memory[0] = std::byte{1};
  expect_ok(device().wait_word(queue, word, 1));
  fill(queue, memory, 2);
  expect_ok(device().record(done, queue));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(device().finished(done).value());
  EXPECT_EQ(memory[0], std::byte{1});
  raise(word, 1);
  expect_ok(device().synchronize_event(done));
  EXPECT_TRUE(device().finished(done).value());
  EXPECT_EQ(memory[0], std::byte{2});
}

TEST_F(DeviceStream, WordsAreComparedInCyclicOrder) {
  const spi::StreamHandle queue = stream();
  std::uint32_t* word = allocate_word();
  raise(word, 1);
  expect_ok(device().wait_word(queue, word, 0xfffffff0U));  // Passed long ago.
  expect_ok(device().synchronize(queue));
  const spi::EventHandle done = event();
  raise(word, 0xfffffffeU);
  expect_ok(device().wait_word(queue, word, 2));  // Four steps ahead.
  expect_ok(device().record(done, queue));
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_FALSE(device().finished(done).value());
  raise(word, 3);
  expect_ok(device().synchronize(queue));
}

TEST_F(DeviceStream, AWordWrittenByOneStreamReleasesAnother) {
  const spi::StreamHandle writer = stream();
  const spi::StreamHandle waiter = stream();
  std::uint32_t* words = allocate_word();
  std::uint32_t* answer = words + 16;
  *answer = 0;
  for (std::uint32_t round = 1; round <= 100; ++round) {
    expect_ok(device().wait_word(waiter, words, round));
    expect_ok(device().write_word(waiter, answer, round));
    expect_ok(device().write_word(writer, words, round));
    expect_ok(device().wait_word(writer, answer, round));
  }
  expect_ok(device().synchronize(writer));
  expect_ok(device().synchronize(waiter));
  EXPECT_EQ(*words, 100U);
  EXPECT_EQ(*answer, 100U);
}

TEST_F(DeviceStream, AnEventOrdersTwoStreams) {
  const spi::StreamHandle first = stream();
  const spi::StreamHandle second = stream();
  const spi::EventHandle between = event();
  std::uint32_t* word = allocate_word();
  std::byte* memory = allocate(64);
  std::byte* seen = allocate(64);
  upload(memory, std::vector<std::byte>(64));
  expect_ok(device().wait_word(first, word, 1));
  fill(first, memory, 7);
  expect_ok(device().record(between, first));
  expect_ok(device().wait(second, between));
  copy(second, memory, seen);
  raise(word, 1);
  expect_ok(device().synchronize(second));
  EXPECT_EQ(first_byte(seen), 7);
}

TEST_F(DeviceStream, AWaitMeansTheRecordThatWasThereWhenItWasQueued) {
  const spi::StreamHandle slow = stream();
  const spi::StreamHandle fast = stream();
  const spi::StreamHandle waiter = stream();
  const spi::EventHandle reused = event();
  const spi::EventHandle passed = event();
  std::uint32_t* word = allocate_word();
  expect_ok(device().wait_word(slow, word, 1));
  expect_ok(device().record(reused, slow));
  expect_ok(device().wait(waiter, reused));
  expect_ok(device().record(passed, waiter));
  expect_ok(device().record(reused, fast));  // Finished at once, but not what `waiter` waits for.
  expect_ok(device().synchronize_event(reused));
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_FALSE(device().finished(passed).value());
  raise(word, 1);
  expect_ok(device().synchronize(waiter));
}

TEST_F(DeviceStream, AnEventNeverRecordedIsFinished) {
  const spi::EventHandle never = event();
  EXPECT_TRUE(device().finished(never).value());
  expect_ok(device().synchronize_event(never));
  const spi::StreamHandle queue = stream();
  expect_ok(device().wait(queue, never));
  expect_ok(device().synchronize(queue));
}

TEST_F(DeviceStream, QueuedWorkOfADestroyedStreamStillRuns) {
  std::uint32_t* word = allocate_word();
  std::uint32_t* done = word + 16;
  *done = 0;
  const spi::StreamHandle gone = device().create_stream().value();
  expect_ok(device().wait_word(gone, word, 1));
  expect_ok(device().write_word(gone, done, 1));
  std::thread releaser([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    raise(word, 1);
  });
  expect_ok(device().destroy_stream(gone));  // CUDA may block here until the work is done; the host device does not.
  releaser.join();
  const spi::StreamHandle watcher = stream();
  expect_ok(device().wait_word(watcher, done, 1));
  expect_ok(device().synchronize(watcher));
  EXPECT_EQ(*done, 1U);
}

TEST_F(DeviceStream, ManyStreamsInterleaveWithoutLoss) {
  constexpr std::size_t kStreams = 32;
  constexpr int kRounds = 50;
  std::byte* ring = allocate(kStreams * 64);
  upload(ring, std::vector<std::byte>(kStreams * 64));
  std::vector<spi::StreamHandle> streams;
  std::vector<spi::EventHandle> events;
  for (std::size_t i = 0; i < kStreams; ++i) {
    streams.push_back(stream());
    events.push_back(event());
  }
  // A token goes round: each stream waits for the one before it and passes the bytes on.
  fill(streams[0], ring, 9);
  expect_ok(device().record(events[0], streams[0]));
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < kStreams; ++i) {
      const std::size_t next = (i + 1) % kStreams;
      expect_ok(device().wait(streams[next], events[i]));
      copy(streams[next], ring + i * 64, ring + next * 64);
      expect_ok(device().record(events[next], streams[next]));
    }
  }
  expect_ok(device().synchronize_event(events[0]));
  const auto bytes = download(ring, kStreams * 64);
  for (std::size_t i = 0; i < kStreams; ++i) EXPECT_EQ(bytes[i * 64], std::byte{9});
}

TEST_F(DeviceStream, ManyThreadsQueueAndSynchroniseOneStream) {
  const spi::StreamHandle shared = stream();
  std::byte* memory = allocate(8 * 4096);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        fill(shared, memory + std::ptrdiff_t{4096} * t, t, 4096);
        expect_ok(device().synchronize(shared));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto bytes = download(memory, 8 * 4096);
  for (std::size_t i = 0; i < bytes.size(); ++i) ASSERT_EQ(std::to_integer<std::size_t>(bytes[i]), i / 4096);
}

TEST_F(DeviceStream, ACapturedGraphReplaysOnWhatTheMemoryHoldsThen) {
  const spi::StreamHandle queue = stream();
  std::byte* source = allocate(64);
  std::byte* middle = allocate(64);
  std::byte* destination = allocate(64);
  upload(destination, std::vector<std::byte>(64));
  EXPECT_FALSE(device().capturing(queue).value());
  expect_ok(device().begin_capture(queue));
  EXPECT_TRUE(device().capturing(queue).value());
  copy(queue, source, middle);
  copy(queue, middle, destination);
  spi::GraphHandle graph = device().end_capture(queue).value();
  EXPECT_FALSE(device().capturing(queue).value());
  expect_ok(device().synchronize(queue));
  EXPECT_EQ(first_byte(destination), 0) << "captured work must not have run";
  for (int value = 1; value <= 3; ++value) {
    fill(queue, source, value);
    expect_ok(device().launch_graph(graph, queue));
    expect_ok(device().synchronize(queue));
    EXPECT_EQ(first_byte(destination), value);
  }
  expect_ok(device().destroy_graph(graph));
}

TEST_F(DeviceStream, ACapturedWordWaitHoldsEveryReplay) {
  const spi::StreamHandle queue = stream();
  std::uint32_t* word = allocate_word();
  std::byte* memory = allocate(64, RegionKind::pinned);
  memory[0] = std::byte{0};
  expect_ok(device().begin_capture(queue));
  expect_ok(device().wait_word(queue, word, 1));
  fill(queue, memory, 5);
  spi::GraphHandle graph = device().end_capture(queue).value();
  const spi::EventHandle done = event();
  expect_ok(device().launch_graph(graph, queue));
  expect_ok(device().record(done, queue));
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_FALSE(device().finished(done).value());
  raise(word, 1);
  expect_ok(device().synchronize(queue));
  EXPECT_EQ(memory[0], std::byte{5});
  expect_ok(device().destroy_graph(graph));
}

TEST_F(DeviceStream, WrongUseOfCaptureIsRefusedAndTheStreamWorksOn) {
  const spi::StreamHandle queue = stream();
  EXPECT_EQ(device().end_capture(queue).status().code(), Code::invalid_argument);
  expect_ok(device().begin_capture(queue));
  EXPECT_EQ(device().begin_capture(queue).code(), Code::invalid_argument);
  expect_ok(device().destroy_graph(device().end_capture(queue).value()));
  std::byte* memory = allocate(64);
  fill(queue, memory, 3);
  expect_ok(device().synchronize(queue));
  EXPECT_EQ(first_byte(memory), 3);
}

TEST_F(DeviceStream, ACapturingStreamCannotBeSynchronised) {
  const spi::StreamHandle queue = stream();
  expect_ok(device().begin_capture(queue));
  EXPECT_EQ(device().synchronize(queue).code(), Code::invalid_argument);
  // CUDA spoils a capture that was synchronised; either way it ends.
  if (auto graph = device().end_capture(queue)) expect_ok(device().destroy_graph(*graph));
  expect_ok(device().synchronize(queue));
}

TEST_F(DeviceStream, NullHandlesAreRefused) {
  const spi::StreamHandle queue = stream();
  EXPECT_FALSE(device().synchronize(nullptr).ok());
  EXPECT_FALSE(device().destroy_stream(nullptr).ok());
  EXPECT_FALSE(device().record(nullptr, queue).ok());
  EXPECT_FALSE(device().wait(queue, nullptr).ok());
  EXPECT_FALSE(device().finished(nullptr).status().ok());
  EXPECT_FALSE(device().launch_graph(nullptr, queue).ok());
  EXPECT_FALSE(device().wait_word(queue, nullptr, 1).ok());
  EXPECT_FALSE(device().write_word(queue, nullptr, 1).ok());
  EXPECT_FALSE(device().fill(queue, nullptr, std::byte{0}, 8).ok());
  const spi::CopySegment to_nowhere{nullptr, nullptr, 8};
  EXPECT_FALSE(device().copy(queue, {&to_nowhere, 1}).ok());
}

}  // namespace
}  // namespace gpuio::assembly
