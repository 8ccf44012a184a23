// SPDX-License-Identifier: Apache-2.0
// The ways to learn that a Request has ended.
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <coroutine>
#include <cstring>
#include <thread>

#include "support/fake_context.h"

namespace gpuio::tests {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kBytes = 1U << 20U;

class Waiting : public testing::Test {
 protected:
  Waiting() : fake_(make_fake_context()), file_(fake_.engine->add("file", {.size_bytes = kBytes})) {
    store_ = fake_.context.open("fake://file").value();
    buffer_ = fake_.context.device("host").value().allocate(kBytes).value();
  }

  Request read() { return fake_.context.read(store_, buffer_).value(); }
  [[nodiscard]] bool arrived() const { return std::memcmp(buffer_.data(), file_->bytes().data(), kBytes) == 0; }

  FakeContext fake_;
  std::shared_ptr<FakeStore> file_;
  Store store_;
  Buffer buffer_;
};

TEST_F(Waiting, WaitReturnsOkOnceEveryByteIsInPlace) {
  const Request request = read();
  EXPECT_TRUE(request.wait().ok());
  EXPECT_TRUE(request.done());
  EXPECT_TRUE(request.quiet());
  EXPECT_TRUE(arrived());
}

TEST_F(Waiting, AWaitsOwnTimeoutLeavesTheRequestRunning) {
  file_->hold();
  const Request request = read();
  EXPECT_EQ(request.wait(2ms).code(), Code::deadline_exceeded);
  EXPECT_FALSE(request.done());
  EXPECT_EQ(request.status().code(), Code::would_block);
  file_->release();
  EXPECT_TRUE(request.wait().ok());
  EXPECT_TRUE(arrived());
}

TEST_F(Waiting, CallbacksRunOnceWhetherSetBeforeOrAfterTheEnd) {
  std::atomic<int> calls{0};
  file_->hold();
  const Request request = read();
  request.on_complete([&](const Status& status) { calls += status.ok() ? 1 : 100; });
  EXPECT_EQ(calls, 0);
  file_->release();
  ASSERT_TRUE(request.wait().ok());
  while (calls == 0) std::this_thread::yield();
  request.on_complete([&](const Status& status) { calls += status.ok() ? 10 : 100; });
  EXPECT_EQ(calls, 11);
}

TEST_F(Waiting, TheDescriptorBecomesReadableAtTheEnd) {
  file_->hold();
  const Request request = read();
  pollfd descriptor{request.event_fd().value(), POLLIN, 0};
  EXPECT_EQ(::poll(&descriptor, 1, 0), 0);
  file_->release();
  EXPECT_EQ(::poll(&descriptor, 1, 5000), 1);
  EXPECT_TRUE(request.done());
}

TEST_F(Waiting, ACallbackMayDropTheLastHandleAndStartAnother) {
  std::atomic<bool> ended{false};
  file_->hold();
  {
    Request request = read();
    request.on_complete([&](const Status&) {
      Request next = fake_.context.read(store_, buffer_).value();
      next.on_complete([&](const Status& status) { ended = status.ok(); });
      next.detach();
    });
    request.detach();
  }
  file_->release();
  for (int i = 0; i < 5000 && !ended; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(ended);
}

/// A coroutine that starts at once and owns nothing.
struct Detached {
  struct promise_type {
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

Detached await(Request request, std::atomic<int>& outcome) {
  const Status status = co_await request;
  outcome = status.ok() ? 1 : 2;
}

TEST_F(Waiting, CoAwaitGivesTheStatus) {
  std::atomic<int> outcome{0};
  file_->hold();
  const Request request = read();
  await(request, outcome);
  EXPECT_EQ(outcome, 0);
  file_->release();
  for (int i = 0; i < 5000 && outcome == 0; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(outcome, 1);
}

TEST_F(Waiting, ProgressIsCalledWhileItRunsAndOnceAtTheEnd) {
  FakeContext fake = make_fake_context({{"request.progress_interval_ns", "4ms"}});
  const auto file = fake.engine->add("file", {.size_bytes = kBytes});
  const Store store = fake.context.open("fake://file").value();
  const Buffer buffer = fake.context.device("host").value().allocate(kBytes).value();
  std::atomic<int> running{0};
  std::atomic<int> finished{0};
  file->hold();
  const Request request = fake.context.read(store, buffer).value();
  request.on_progress([&](const Progress& progress) {
    EXPECT_EQ(progress.total_bytes, kBytes);
    ++(progress.finished ? finished : running);
  });
  for (int i = 0; i < 5000 && running < 3; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_GE(running, 3);
  file->release();
  ASSERT_TRUE(request.wait().ok());
  for (int i = 0; i < 5000 && finished == 0; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(finished, 1);
  EXPECT_EQ(request.progress().done_bytes, kBytes);
}

TEST(WaitingOnOneself, PollDrivesAContextWithoutThreads) {
  FakeContext fake = make_fake_context({}, Drive::caller);
  const auto file = fake.engine->add("file", {.size_bytes = kBytes});
  const Store store = fake.context.open("fake://file").value();
  const Buffer buffer = fake.context.device("host").value().allocate(kBytes).value();
  const Request request = fake.context.read(store, buffer).value();
  EXPECT_FALSE(request.done());
  for (int i = 0; i < 1000 && !request.done(); ++i) fake.context.poll();
  EXPECT_TRUE(request.status().ok());
  EXPECT_GE(fake.context.wake_fd(), 0);
}

TEST(WaitingOnOneself, ABlockingWaitDrivesToo) {
  FakeContext fake = make_fake_context({}, Drive::caller);
  fake.engine->add("file", {.size_bytes = kBytes});
  const Store store = fake.context.open("fake://file").value();
  const Buffer buffer = fake.context.device("host").value().allocate(kBytes).value();
  EXPECT_TRUE(fake.context.read(store, buffer).value().wait().ok());
}

TEST(EmptyRequest, EveryMemberSaysClosedOrNothing) {
  const Request request;
  EXPECT_FALSE(request);
  EXPECT_EQ(request.wait().code(), Code::closed);
  EXPECT_EQ(request.status().code(), Code::closed);
  EXPECT_EQ(request.event_fd().error().code(), Code::closed);
  EXPECT_TRUE(request.failures().empty());
  EXPECT_TRUE(request.quiet());
  request.cancel();
}

}  // namespace
}  // namespace gpuio::tests
