// SPDX-License-Identifier: Apache-2.0
#include "device/host/device.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "core/executor/caller_executor.h"
#include "core/executor/thread_executor.h"
#include "device/host/driver.h"

// What only the host device promises; what it shares with others is tested in assembly/kernels.
namespace gpuio::host {
namespace {

void expect_ok(const Status& status) { EXPECT_TRUE(status.ok()) << status.to_string(); }

/// A device driven by nobody but the test.
class CallerDrivenDevice : public ::testing::Test {
 protected:
  base::SystemClock clock_;
  std::unique_ptr<core::CallerExecutor> executor_ = core::CallerExecutor::create(clock_).value();
  Driver driver_{*executor_, 2, KernelTable{}};
  std::unique_ptr<spi::Device> device_ = driver_.open(0).value();
  spi::StreamHandle stream_ = device_->create_stream().value();
  spi::EventHandle event_ = device_->create_event().value();

  ~CallerDrivenDevice() override {
    if (device_ != nullptr) expect_ok(device_->destroy_event(event_));
  }
  void turn_until_idle() {
    while (executor_->turn()) {
    }
  }
};

TEST_F(CallerDrivenDevice, NothingRunsUntilTheCallerTurns) {
  std::byte byte{1};
  expect_ok(device_->fill(stream_, &byte, std::byte{2}, 1));
  expect_ok(device_->record(event_, stream_));
  EXPECT_FALSE(device_->finished(event_).value());
  EXPECT_EQ(byte, std::byte{1});
  turn_until_idle();
  EXPECT_TRUE(device_->finished(event_).value());
  EXPECT_EQ(byte, std::byte{2});
}

TEST_F(CallerDrivenDevice, SynchronizeDrivesTheWorkItWaitsFor) {
  std::vector<std::byte> memory(std::size_t{8} << 20);
  expect_ok(device_->fill(stream_, memory.data(), std::byte{3}, memory.size()));
  expect_ok(device_->synchronize(stream_));
  EXPECT_EQ(std::count(memory.begin(), memory.end(), std::byte{3}), static_cast<std::ptrdiff_t>(memory.size()));
}

TEST_F(CallerDrivenDevice, AParkedStreamPassesItsWordInALaterTurn) {
  std::uint32_t word = 0;
  expect_ok(device_->wait_word(stream_, &word, 1));
  expect_ok(device_->record(event_, stream_));
  for (int i = 0; i < 100; ++i) executor_->turn();
  EXPECT_FALSE(device_->finished(event_).value());
  word = 1;
  expect_ok(device_->synchronize(stream_));
  EXPECT_TRUE(device_->finished(event_).value());
}

TEST_F(CallerDrivenDevice, ClosingTheDeviceGivesUpWaitsAndWhatIsBehindThem) {
  std::uint32_t word = 0;
  std::byte byte{1};
  const spi::StreamHandle other = device_->create_stream().value();
  const spi::StreamHandle destroyed = device_->create_stream().value();
  expect_ok(device_->wait_word(stream_, &word, 1));  // Never comes.
  expect_ok(device_->record(event_, stream_));
  for (const spi::StreamHandle stream : {other, destroyed}) {
    expect_ok(device_->wait(stream, event_));
    expect_ok(device_->fill(stream, &byte, std::byte{2}, 1));
  }
  expect_ok(device_->destroy_stream(destroyed));
  turn_until_idle();
  expect_ok(device_->destroy_event(event_));
  device_.reset();
  EXPECT_EQ(byte, std::byte{1});
}

TEST_F(CallerDrivenDevice, OneCaptureHoldsOneStream) {
  const spi::StreamHandle other = device_->create_stream().value();
  const spi::EventHandle outside = device_->create_event().value();
  expect_ok(device_->record(outside, other));
  expect_ok(device_->begin_capture(stream_));
  EXPECT_EQ(device_->wait(stream_, outside).code(), Code::invalid_argument);
  expect_ok(device_->record(event_, stream_));
  expect_ok(device_->wait(stream_, event_));
  EXPECT_EQ(device_->wait(other, event_).code(), Code::unsupported);
  EXPECT_EQ(device_->finished(event_).status().code(), Code::invalid_argument);
  expect_ok(device_->destroy_graph(device_->end_capture(stream_).value()));
  expect_ok(device_->destroy_event(outside));
}

TEST_F(CallerDrivenDevice, KernelsThatNobodyInstantiatedAreRefused) {
  const spi::SegmentsArguments arguments{};
  EXPECT_EQ(device_->launch(stream_, spi::KernelId::move_segments, &arguments).code(), Code::invalid_argument);
}

TEST(HostDriver, NamesItsDevicesAndKnowsHowManyItPoses) {
  base::SystemClock clock;
  const auto executor = core::CallerExecutor::create(clock).value();
  Driver driver(*executor, 3, KernelTable{});
  EXPECT_EQ(driver.count().value(), 3);
  EXPECT_EQ(driver.name(0), "host");
  EXPECT_EQ(driver.name(2), "host:2");
  EXPECT_EQ(driver.open(3).status().code(), Code::not_found);
}

TEST(HostMemory, PinnedMemoryBeyondTheMemlockLimitIsRefusedWithTheWayOut) {
  // Root may lock anything, so a child gives up being root first.
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const rlimit limit{65536, 65536};
    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 || (getuid() == 0 && setuid(65534) != 0)) _exit(2);
    Memory memory;
    const Status status = memory.allocate(RegionKind::pinned, 1 << 20, {}).status();
    const bool explained = status.to_string().find("ulimit -l") != std::string::npos;
    const bool small_works = memory.allocate(RegionKind::pinned, 4096, {}).has_value();
    _exit(status.code() == Code::resource_exhausted && explained && small_works ? 0 : 1);
  }
  int result = -1;
  ASSERT_EQ(waitpid(child, &result, 0), child);
  EXPECT_EQ(result, 0);
}

TEST(HostMemory, PinnedPagesAreLocked) {
  Memory memory;
  std::byte* base = memory.allocate(RegionKind::pinned, 4096, {}).value();
  base[0] = std::byte{1};
  std::ifstream status("/proc/self/status");
  std::uint64_t locked_kib = 0;
  for (std::string key; status >> key;) {
    if (key == "VmLck:") status >> locked_kib;
  }
  EXPECT_GE(locked_kib, 4U);
  expect_ok(memory.free(base, 4096));
}

TEST(HostMemory, TouchingRangesMayBothBeRegisteredAndOverlapsMayNot) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  Memory memory;
  std::byte* base = memory.allocate(RegionKind::device, 8 * page, {}).value();
  expect_ok(memory.register_range(base + 2 * page, 2 * page));
  expect_ok(memory.register_range(base, 2 * page));
  expect_ok(memory.register_range(base + 4 * page, page));
  EXPECT_EQ(memory.register_range(base + 3 * page, page).code(), Code::already_exists);
  EXPECT_EQ(memory.register_range(base + page, 4 * page).code(), Code::already_exists);
  EXPECT_EQ(memory.register_range(base, 8 * page).code(), Code::already_exists);
  EXPECT_EQ(memory.unregister_range(base, page).code(), Code::not_found) << "only whole, as registered";
  expect_ok(memory.unregister_range(base + 2 * page, 2 * page));
  expect_ok(memory.register_range(base + 3 * page, page));
  expect_ok(memory.free(base, 8 * page));
}

TEST(HostMemory, FreeingTwiceIsRefused) {
  Memory memory;
  std::byte* base = memory.allocate(RegionKind::device, 100, {}).value();
  EXPECT_EQ(memory.free(base, 99).code(), Code::invalid_argument);
  expect_ok(memory.free(base, 100));
  EXPECT_EQ(memory.free(base, 100).code(), Code::invalid_argument);
}

TEST(Crew, PartsOfALargeCopyRunOnSeveralWorkers) {
  base::SystemClock clock;
  const auto executor = core::ThreadExecutor::start(clock, {.workers = 3}).value();
  static std::atomic<int> running;
  static std::atomic<int> together;
  running = 0;
  together = 0;
  // A kernel of which each part waits, for a bounded time, until another part runs beside it.
  KernelTable kernels{};
  kernels[0] = {sizeof(spi::RowsArguments),
                [](const void*, std::uint64_t, std::uint64_t) {
                  running.fetch_add(1);
                  for (int i = 0; i < 2000 && together == 0; ++i) {
                    if (running.load() > 1) together = 1;
                    std::this_thread::sleep_for(std::chrono::microseconds(500));
                  }
                  running.fetch_sub(1);
                },
                [](const void*) { return std::uint64_t{64} << 20; }};
  Driver driver(*executor, 1, kernels);
  const auto device = driver.open(0).value();
  const spi::StreamHandle stream = device->create_stream().value();
  const spi::RowsArguments arguments{};
  expect_ok(device->launch(stream, static_cast<spi::KernelId>(0), &arguments));
  expect_ok(device->synchronize(stream));
  EXPECT_EQ(together, 1);
  EXPECT_EQ(running, 0) << "the stream went on before all parts were done";
}

}  // namespace
}  // namespace gpuio::host
