// SPDX-License-Identifier: Apache-2.0
// Order, failures by part, cancel, deadlines, budgets: what the scheduler promises.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>
#include <thread>

#include "support/fake_context.h"

namespace gpuio::tests {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kBytes = 4U << 20U;

class Scheduling : public testing::Test {
 protected:
  explicit Scheduling(const std::map<std::string, std::string>& settings = {}) : fake_(make_fake_context(settings)) {}

  void open(const FakeStore::Behaviour& behaviour) {
    file_ = fake_.engine->add("file", behaviour);
    store_ = fake_.context.open("fake://file").value();
    buffer_ = fake_.context.device("host").value().allocate(behaviour.size_bytes).value();
  }

  static Status eio() { return Status::from_errno(EIO, "planted").with_scope(FailureScope::store); }

  FakeContext fake_;
  std::shared_ptr<FakeStore> file_;
  Store store_;
  Buffer buffer_;
};

TEST_F(Scheduling, OneFailedExtentLeavesItsSiblingsDone) {
  open({.size_bytes = kBytes});
  file_->set_script(
      [](const spi::Run&, const spi::Segment& segment) { return segment.offset == 8192 ? eio() : Status(); });
  const Layout extents = Layout::extents({{0, 4096}, {8192, 4096}, {65536, 4096}});
  const Request request = fake_.context.read(store_, extents, buffer_.slice(0, 3 * 4096).value()).value();
  const Status status = request.wait();
  EXPECT_EQ(status.code(), Code::io_error);
  EXPECT_EQ(status.native(), EIO);
  ASSERT_EQ(request.failures().size(), 1U);
  EXPECT_EQ(request.failures()[0].extent, (Extent{8192, 4096}));
  EXPECT_EQ(std::memcmp(buffer_.data(), file_->bytes().data(), 4096), 0);
  EXPECT_EQ(std::memcmp(buffer_.data() + 8192, file_->bytes().data() + 65536, 4096), 0);
  EXPECT_EQ(request.progress().done_bytes, 2U * 4096U);
}

TEST_F(Scheduling, OfManyExtentsEachOneThatFailsIsNamedAndTheRestIsDone) {
  open({.size_bytes = kBytes});
  constexpr std::uint64_t kExtents = 300;
  constexpr std::uint64_t kStep = 8192;
  std::vector<Extent> extents;
  for (std::uint64_t i = 0; i < kExtents; ++i) extents.push_back({(i * 7 % kExtents) * kStep, 512 + i});
  const Layout layout = Layout::extents(extents);
  const Slice memory = buffer_.slice(0, layout.size_bytes()).value();
  for (const std::uint64_t every : {std::uint64_t{97}, std::uint64_t{1}}) {  // a few, and all
    file_->set_script([every](const spi::Run&, const spi::Segment& segment) {
      return segment.offset / kStep % every == 0 ? eio() : Status();
    });
    const Request request = fake_.context.read(store_, layout, memory).value();
    EXPECT_EQ(request.wait().code(), Code::io_error);
    std::uint64_t failed_bytes = 0;
    for (const Failure& failure : request.failures()) {
      EXPECT_NE(std::find(extents.begin(), extents.end(), failure.extent), extents.end()) << failure.extent.offset;
      failed_bytes += failure.extent.length;
    }
    EXPECT_EQ(request.failures().size(), (kExtents + every - 1) / every);
    EXPECT_EQ(request.progress().done_bytes, layout.size_bytes() - failed_bytes);
  }
}

TEST_F(Scheduling, RetryableFailuresAreTriedAgainAndCounted) {
  open({.size_bytes = kBytes});
  std::atomic<int> left{3};
  file_->set_script(
      [&](const spi::Run&, const spi::Segment&) { return left-- > 0 ? eio().with_retryable(true) : Status(); });
  const Request request = fake_.context.read(store_, buffer_).value();
  EXPECT_TRUE(request.wait().ok());
  EXPECT_GE(fake_.context.statistics().retries, 3U);
  EXPECT_EQ(std::memcmp(buffer_.data(), file_->bytes().data(), kBytes), 0);
}

TEST_F(Scheduling, RetriesEnd) {
  open({.size_bytes = kBytes});
  std::atomic<int> asked{0};
  file_->set_script([&](const spi::Run&, const spi::Segment&) {
    ++asked;
    return eio().with_retryable(true);
  });
  EXPECT_EQ(fake_.context.read(store_, buffer_).value().wait().code(), Code::io_error);
  EXPECT_EQ(asked, 5) << "once and scheduler.retry_max more";
}

TEST_F(Scheduling, UnalignedDirectReadsAreWidenedAndRight) {
  open({.size_bytes = kBytes, .way = spi::Way::direct, .alignment = 4096});
  std::vector<Extent> extents;
  std::uint64_t bytes = 0;
  for (std::uint64_t i = 0; i < 500; ++i) {
    extents.push_back({(i * 7919) % (kBytes - 9000), 1 + (i * 31) % 8999});
    bytes += extents.back().length;
  }
  const Buffer packed = fake_.context.device("host").value().allocate(bytes).value();
  const Request request = fake_.context.read(store_, Layout::extents(extents), packed).value();
  ASSERT_TRUE(request.wait().ok()) << request.wait().to_string();
  const std::byte* at = packed.data();
  for (const Extent& extent : extents) {
    ASSERT_EQ(std::memcmp(at, file_->bytes().data() + extent.offset, extent.length), 0) << extent.offset;
    at += extent.length;
  }
}

TEST_F(Scheduling, UnalignedDirectWritesTouchNothingBeside) {
  open({.size_bytes = kBytes, .way = spi::Way::direct, .alignment = 4096});
  const std::vector<std::byte> before = file_->bytes();
  std::fill_n(buffer_.data(), kBytes, std::byte{0xa5});
  const Request request =
      fake_.context.write(store_, Layout::contiguous(1000, 100'000), buffer_.slice(0, 100'000).value()).value();
  ASSERT_TRUE(request.wait().ok()) << request.wait().to_string();
  for (std::uint64_t i = 0; i < kBytes; ++i) {
    const bool inside = i >= 1000 && i < 101'000;
    ASSERT_EQ(file_->bytes()[i], inside ? std::byte{0xa5} : before[i]) << i;
  }
}

TEST_F(Scheduling, SmallNeighboursTravelTogether) {
  open({.size_bytes = kBytes});
  std::vector<Extent> extents;
  for (std::uint64_t i = 0; i < 100; ++i) extents.push_back({i * 100, 100});
  const Request request =
      fake_.context.read(store_, Layout::extents(extents), buffer_.slice(0, 10'000).value()).value();
  ASSERT_TRUE(request.wait().ok());
  EXPECT_EQ(file_->segments_per_run(), std::vector<std::size_t>{1});
}

TEST_F(Scheduling, CancelEndsWhatHasNotBegunAndReturnsQuiet) {
  open({.size_bytes = 128U << 20U});
  file_->hold();
  const Request request = fake_.context.read(store_, buffer_).value();
  while (file_->held() == 0) std::this_thread::yield();
  std::thread releaser([&] {
    std::this_thread::sleep_for(5ms);
    file_->release();
  });
  request.cancel();
  releaser.join();
  EXPECT_TRUE(request.quiet());
  EXPECT_EQ(request.wait().code(), Code::cancelled);
  EXPECT_LT(request.progress().done_bytes, request.progress().total_bytes);
  const Statistics statistics = fake_.context.statistics();
  ASSERT_EQ(statistics.operations.size(), 1U);
  EXPECT_EQ(statistics.operations[0].failures, 0U) << "it was asked for";
  EXPECT_EQ(statistics.operations[0].bytes, request.progress().done_bytes);
}

TEST_F(Scheduling, DroppingTheLastHandleCancels) {
  open({.size_bytes = 128U << 20U});
  // Often: who dropped it may see at once that it is gone, however late the reactor goes on.
  for (int i = 0; i < 100; ++i) {
    file_->hold();
    auto request = std::make_unique<Request>(fake_.context.read(store_, buffer_).value());
    while (file_->held() == 0) std::this_thread::yield();
    std::thread releaser([&] { file_->release(); });
    request.reset();
    const std::uint64_t left = fake_.context.statistics().requests_outstanding;
    releaser.join();
    ASSERT_EQ(left, 0U);
  }
}

TEST_F(Scheduling, ADiskThatNeverAnswersIsReportedByTheDeadlineAndItsMemoryHeld) {
  open({.size_bytes = kBytes});
  file_->hold();
  TransferOptions options;
  options.timeout = 10ms;
  const auto begin = std::chrono::steady_clock::now();
  const Request request = fake_.context.read(store_, buffer_, options).value();
  EXPECT_EQ(request.wait().code(), Code::deadline_exceeded);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
  EXPECT_FALSE(request.quiet()) << "bytes may still move straight into the caller's memory";
  file_->release();
  for (int i = 0; i < 5000 && !request.quiet(); ++i) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(request.quiet());
}

TEST_F(Scheduling, BehindASlabADeadlineLeavesTheCallersMemoryQuietAtOnce) {
  open({.size_bytes = kBytes, .way = spi::Way::direct, .alignment = 4096});
  file_->hold();
  std::fill_n(buffer_.data(), 200, std::byte{0x11});
  TransferOptions options;
  options.timeout = 10ms;
  Request request;
  // One that never reached the store proves nothing: again, with more time.
  for (; file_->held() == 0; *options.timeout *= 2) {
    request = fake_.context.read(store_, Layout::contiguous(1, 100), buffer_.slice(0, 100).value(), options).value();
    ASSERT_EQ(request.wait().code(), Code::deadline_exceeded);
  }
  for (int i = 0; i < 5000 && !request.quiet(); ++i) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(request.quiet());
  EXPECT_GT(fake_.context.statistics().quarantined_bytes, 0U);
  file_->release();
  for (int i = 0; i < 5000 && fake_.context.statistics().quarantined_bytes != 0; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(fake_.context.statistics().quarantined_bytes, 0U);
  EXPECT_EQ(buffer_.data()[0], std::byte{0x11}) << "late bytes were dropped";
}

TEST_F(Scheduling, DurableWritesFlushOnceAndReportAFailedFlush) {
  open({.size_bytes = kBytes});
  TransferOptions options;
  options.completion = Completion::durable;
  EXPECT_TRUE(fake_.context.write(store_, buffer_, options).value().wait().ok());
  EXPECT_EQ(file_->flushes, 1);
  file_->fail_flush = true;
  const Status status = fake_.context.write(store_, buffer_, options).value().wait();
  EXPECT_EQ(status.code(), Code::io_error);
  EXPECT_TRUE(status.data_loss());
}

TEST_F(Scheduling, HighPriorityGoesAheadOfQueuedBulk) {
  open({.size_bytes = 256U << 20U});
  file_->hold();
  const Request bulk = fake_.context.read(store_, buffer_).value();
  while (file_->held() == 0) std::this_thread::yield();
  const Buffer small = fake_.context.device("host").value().allocate(4096).value();
  TransferOptions options;
  options.priority = Priority::high;
  const std::size_t before = file_->held();
  const Request urgent = fake_.context.read(store_, Layout::contiguous(0, 4096), small, options).value();
  for (int i = 0; i < 5000 && file_->held() == before; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_GT(file_->held(), before) << "bulk has filled its budget, the urgent read was started all the same";
  file_->release();
  EXPECT_TRUE(urgent.wait().ok());
  EXPECT_TRUE(bulk.wait().ok());
}

TEST_F(Scheduling, BandwidthLimitsHoldAndChangeWhileRunning) {
  open({.size_bytes = 64U << 20U});
  ASSERT_TRUE(fake_.context.set("scheduler.bandwidth_bulk_bytes_per_second", "16MiB").ok());
  const Request request = fake_.context.read(store_, buffer_).value();
  EXPECT_EQ(request.wait(300ms).code(), Code::deadline_exceeded);
  EXPECT_LT(request.progress().done_bytes, 48U << 20U);
  ASSERT_TRUE(fake_.context.set("scheduler.bandwidth_bulk_bytes_per_second", "0").ok());
  EXPECT_TRUE(request.wait(20s).ok());
}

TEST_F(Scheduling, ABatchIsQueuedAsOneOrNotAtAll) {
  open({.size_bytes = kBytes});
  Batch batch = fake_.context.batch();
  std::vector<Request> requests;
  for (std::uint64_t i = 0; i < 64; ++i) {
    requests.push_back(
        batch.read(store_, Layout::contiguous(i * 4096, 4096), buffer_.slice(i * 4096, 4096).value()).value());
    EXPECT_EQ(requests.back().wait().code(), Code::would_block) << "not submitted yet";
  }
  EXPECT_EQ(batch.size(), 64U);
  ASSERT_TRUE(batch.submit().ok());
  EXPECT_EQ(batch.size(), 0U);
  for (const Request& request : requests) EXPECT_TRUE(request.wait().ok());
  EXPECT_EQ(std::memcmp(buffer_.data(), file_->bytes().data(), 64 * 4096), 0);
}

TEST_F(Scheduling, AMillionExtentsInOneRequest) {
  open({.size_bytes = kBytes});
  std::vector<Extent> extents(1'200'000);
  for (std::size_t i = 0; i < extents.size(); ++i) extents[i] = {(i * 7919) % (kBytes - 16), 16};
  const Buffer packed = fake_.context.device("host").value().allocate(extents.size() * 16).value();
  ASSERT_TRUE(fake_.context.read(store_, Layout::extents(extents), packed).value().wait().ok());
  for (std::size_t i = 0; i < extents.size(); i += 1237) {
    ASSERT_EQ(std::memcmp(packed.data() + i * 16, file_->bytes().data() + extents[i].offset, 16), 0) << i;
  }
}

TEST_F(Scheduling, AHundredThousandRequestsOutstandingAtOnce) {
  constexpr std::size_t kCount = 100'000;
  open({.size_bytes = kBytes});
  file_->hold();
  std::vector<Request> requests;
  requests.reserve(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    requests.push_back(
        fake_.context.read(store_, Layout::contiguous(i % 1000, 16), buffer_.slice(16 * i, 16).value()).value());
  }
  EXPECT_EQ(fake_.context.statistics().requests_outstanding, kCount);
  file_->release();
  for (std::size_t i = 0; i < kCount; ++i) {
    ASSERT_TRUE(requests[i].wait(60s).ok());
    ASSERT_EQ(std::memcmp(buffer_.data() + 16 * i, file_->bytes().data() + i % 1000, 16), 0) << i;
  }
  EXPECT_EQ(fake_.context.statistics().requests_outstanding, 0U);
}

TEST_F(Scheduling, StatisticsCountRequestsBytesAndLatencies) {
  open({.size_bytes = kBytes});
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(fake_.context.read(store_, buffer_).value().wait().ok());
  const Statistics statistics = fake_.context.statistics();
  ASSERT_EQ(statistics.operations.size(), 1U);
  const OperationStatistics& reads = statistics.operations[0];
  EXPECT_EQ(reads.operation, "read");
  EXPECT_EQ(reads.tier, "nvme");
  EXPECT_EQ(reads.device, "host");
  EXPECT_EQ(reads.requests, 10U);
  EXPECT_EQ(reads.bytes, 10 * kBytes);
  EXPECT_GT(reads.latency_p50_ns, 0U);
  EXPECT_LE(reads.latency_p50_ns, reads.latency_p999_ns);
}

TEST_F(Scheduling, SeveralStoresInOneRequestFailByTheirPosition) {
  open({.size_bytes = kBytes});
  const auto broken = fake_.engine->add("broken", {.size_bytes = kBytes});
  broken->set_script([](const spi::Run&, const spi::Segment&) { return eio(); });
  const Store other = fake_.context.open("fake://broken").value();
  const Transfer transfers[] = {{store_, Layout(), buffer_.slice(0, 4096).value(), Layout()},
                                {other, Layout(), buffer_.slice(4096, 4096).value(), Layout()}};
  const Request request = fake_.context.read(transfers).value();
  EXPECT_EQ(request.wait().code(), Code::io_error);
  ASSERT_EQ(request.failures().size(), 1U);
  EXPECT_EQ(request.failures()[0].transfer, 1U);
  EXPECT_EQ(std::memcmp(buffer_.data(), file_->bytes().data(), 4096), 0);
}

TEST_F(Scheduling, LayoutsOnBothSidesArePairedByteByByte) {
  open({.size_bytes = kBytes});
  std::fill_n(buffer_.data(), kBytes, std::byte{0});
  const Transfer transfer{store_,
                          Layout::rows({.offset = 128, .row_bytes = 96, .stride_bytes = 100, .ids = {7, 3, 900}}),
                          buffer_, Layout::strided({.offset = 5, .block_bytes = 48, .stride_bytes = 64, .count = 6})};
  ASSERT_TRUE(fake_.context.read(std::span(&transfer, 1)).value().wait().ok());
  const std::uint64_t ids[] = {7, 3, 900};
  for (std::uint64_t byte = 0; byte < 3 * 96; ++byte) {
    const std::uint64_t from = 128 + ids[byte / 96] * 100 + byte % 96;
    const std::uint64_t to = 5 + byte / 48 * 64 + byte % 48;
    ASSERT_EQ(buffer_.data()[to], file_->bytes()[from]) << byte;
  }
}

}  // namespace
}  // namespace gpuio::tests
