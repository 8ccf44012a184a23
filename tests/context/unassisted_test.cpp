// SPDX-License-Identifier: Apache-2.0
// Requests that a waiting kernel depends on, on an accelerator on which no kernel runs any more. tests/gpu does the
// same to a real one.
#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <thread>
#include <vector>

#include "assembly/kernels/host_kernels.h"
#include "device/host/driver.h"
#include "support/fake_context.h"
#include "support/stuck_device.h"

namespace gpuio::tests {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kBytes = 16U << 20U;
constexpr Duration kLimit = 20s;

/// Requests that need a kernel: more of them than there are slabs of any kind, each with a part of the memory.
constexpr std::uint64_t kStuckPerClass = 40;
constexpr std::uint64_t kStuckRequests = 3 * kStuckPerClass;
constexpr std::uint64_t kStuckExtents = 300;
constexpr std::uint64_t kStuckBytes = kStuckExtents * 1024;

class Unassisted : public testing::Test {
 protected:
  Unassisted() {
    ContextOptions options{Settings(), Drive::threads};
    throw_if_failed(options.settings.set("memory.slab_bytes", "1MiB"));
    throw_if_failed(options.settings.set("memory.pinned_budget_bytes", "5MiB"));
    core::Parts parts = assembly::parts();
    parts.devices.clear();
    parts.devices.push_back([this](const spi::EngineHost& host) -> std::unique_ptr<spi::DeviceDriver> {
      return std::make_unique<StuckDriver>(std::make_unique<host::Driver>(host.executor, 1, assembly::host_kernels()),
                                           processors_);
    });
    parts.engines.push_back([this](const spi::EngineHost&) {
      auto engine = std::make_unique<FakeEngine>();
      file_ = engine->add("file", {.size_bytes = kBytes});
      target_ = engine->add("target", {.size_bytes = kBytes});
      return engine;
    });
    context_.emplace(core::ContextState::create(options, std::move(parts)).value());
    for (std::size_t i = 0; i < kBytes; ++i) file_->bytes()[i] = static_cast<std::byte>(i * 7 + i / 4096);
    device_.emplace(context_->device("host").value());
    buffer_ = device_->allocate(kStuckRequests * kStuckBytes).value();
    store_ = context_->open("fake://file").value();
  }

  /// Kernels run again, and what waited for them ends well.
  void TearDown() override {
    processors_->watched = false;
    processors_->release();
    for (const Request& request : stuck_) EXPECT_TRUE(request.wait(kLimit).ok()) << request.wait(0s).to_string();
  }

  /// `count` extents of `bytes`, in no order, so that neighbours do not travel together.
  static Layout scattered(std::uint64_t count, std::uint64_t bytes) {
    std::vector<Extent> extents;
    extents.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) extents.push_back({(i * 7919) % count * bytes, bytes});
    return Layout::extents(std::move(extents));
  }

  /// Requests of every class that need a kernel.
  void take_all_that_others_may_have() {
    for (const Priority priority : {Priority::background, Priority::bulk, Priority::high}) {
      for (std::uint64_t i = 0; i < kStuckPerClass; ++i) {
        const Slice slice = buffer_.slice(stuck_.size() * kStuckBytes, kStuckBytes).value();
        stuck_.push_back(context_->read(store_, scattered(kStuckExtents, 1024), slice, {.priority = priority}).value());
      }
    }
    // Three big slabs and four small ones, and each waits for its kernel.
    const auto deadline = std::chrono::steady_clock::now() + kLimit;
    while ((processors_->launches < 7 || context_->statistics().slab_waits == 0) &&
           std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    ASSERT_GE(processors_->launches, 7);
    processors_->watched = true;
  }

  void expect_ok(const Request& request) {
    const Status status = request.wait(kLimit);
    EXPECT_TRUE(status.ok()) << status.to_string();
    EXPECT_EQ(processors_->forbidden, 0) << "allocations, frees and registrations may wait for kernels";
  }

  std::shared_ptr<Processors> processors_ = std::make_shared<Processors>();
  std::shared_ptr<FakeStore> file_;
  std::shared_ptr<FakeStore> target_;
  std::optional<Context> context_;
  std::optional<Device> device_;
  Buffer buffer_;
  Store store_;
  std::vector<Request> stuck_;
};

TEST_F(Unassisted, LargeReadEndsThoughOthersHoldAllSlabsAndStreams) {
  const Buffer own = device_->allocate(kBytes).value();
  take_all_that_others_may_have();
  const int launches = processors_->launches;
  expect_ok(context_->read(store_, own, {.unassisted = true}).value());
  EXPECT_EQ(std::memcmp(own.data(), file_->bytes().data(), kBytes), 0);
  EXPECT_EQ(processors_->launches, launches) << "others' kernels wait, and this read needs none";
}

TEST_F(Unassisted, ManySmallReadsUseNoKernel) {
  constexpr std::uint64_t kCount = 4001;
  const Buffer own = device_->allocate(kCount * 700).value();
  take_all_that_others_may_have();
  const Layout extents = scattered(kCount, 700);
  expect_ok(context_->read(store_, extents, own, {.unassisted = true}).value());
  for (std::uint64_t i = 0; i < kCount; ++i) {
    ASSERT_EQ(std::memcmp(own.data() + i * 700, file_->bytes().data() + extents.at(i).offset, 700), 0) << i;
  }
}

TEST_F(Unassisted, WriteLeavesTheDeviceAndReachesTheStore) {
  const Buffer own = device_->allocate(kBytes).value();
  std::memset(own.data(), 0x5a, kBytes);
  take_all_that_others_may_have();
  const Store target = context_->open("fake://target").value();
  expect_ok(context_->write(target, own, {.unassisted = true}).value());
  EXPECT_EQ(std::memcmp(own.data(), target_->bytes().data(), kBytes), 0);
}

TEST_F(Unassisted, RequestsOnManyStreamsEndAndTheStreamsPass) {
  constexpr std::uint64_t kPart = 128U << 10U;
  const Buffer own = device_->allocate(64 * kPart).value();
  std::vector<Stream> streams;
  streams.reserve(64);
  for (int i = 0; i < 64; ++i) streams.push_back(device_->create_stream().value());
  take_all_that_others_may_have();
  std::vector<Request> requests;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    const TransferOptions options{.stream = &streams[i], .unassisted = true};
    const Layout extent = Layout::contiguous(i * kPart, kPart);
    requests.push_back(context_->read(store_, extent, own.slice(i * kPart, kPart).value(), options).value());
  }
  for (const Request& request : requests) expect_ok(request);
  for (const Stream& stream : streams) EXPECT_TRUE(stream.synchronize().ok());
  EXPECT_EQ(std::memcmp(own.data(), file_->bytes().data(), 64 * kPart), 0);
}

TEST_F(Unassisted, RequestReportsByItselfIfItsStoreNeverAnswers) {
  // A kernel that waits for ever would hold the device: there is a timeout even where nobody named one.
  file_->hold();
  const Request request =
      context_->read(store_, buffer_.slice(0, kBytes).value(), {.timeout = 10ms, .unassisted = true}).value();
  EXPECT_EQ(request.wait(kLimit).code(), Code::deadline_exceeded);
  file_->release();
}

TEST_F(Unassisted, CopyInsideAcceleratorsIsRefused) {
  const Slice first = buffer_.slice(0, 4096).value();
  const Slice second = buffer_.slice(4096, 4096).value();
  EXPECT_EQ(context_->copy(first, second, {.unassisted = true}).status().code(), Code::unsupported);
}

}  // namespace
}  // namespace gpuio::tests
