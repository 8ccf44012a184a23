// SPDX-License-Identifier: Apache-2.0
// The engine's code over a scripted file system and queue: every refusal, short count and early end.
#include <gtest/gtest.h>

#include "core/settings/settings_values.h"
#include "engine/local/fake_storage.h"
#include "engine/local/local_testing.h"

namespace gpuio::local {
namespace {

using spi::RunKind;
using spi::Way;
using testing::TestRun;

class LocalFaults : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kPiece = 4096;

  void SetUp() override {
    settings_.local_read_bytes_max = kPiece;
    settings_.local_queue_depth_max = 4;
    files_->contents = testing::random_bytes(64 * 1024, 11);
    EngineOptions options;
    options.files = files_;
    options.make_queue = [this](spi::Executor&, spi::FileSystem& files, const LocalSettings&) {
      auto queue = std::make_unique<testing::FakeQueue>(files);
      queue_ = queue.get();
      return QueueChoice{std::move(queue), ""};
    };
    engine_ = make_engine({executor_, settings_}, std::move(options));
  }

  std::shared_ptr<spi::Store> open(OpenMode mode = OpenMode::write) {
    OpenOptions options;
    options.mode = mode;
    auto store = engine_->open(testing::uri_of("/fake/a.bin"), options);
    EXPECT_TRUE(store) << store.status().to_string();
    return *store;
  }

  void poll() { next_ns_ = engine_->poll(executor_.clock_.now_); }

  /// Everything that can happen does, operations in the queue's order.
  void settle() {
    for (int turn = 0; turn < 10000; ++turn) {
      poll();
      bool worked = executor_.turn();
      while (!queue_->held.empty()) {
        queue_->perform(0);
        worked = true;
      }
      if (worked) continue;
      if (next_ns_ == spi::kNever) return;
      executor_.clock_.now_ = std::max(next_ns_, executor_.clock_.now_ + 1);
    }
    FAIL() << "does not come to rest";
  }

  spi::Segment segment(std::uint64_t offset, std::uint32_t bytes) {
    return {offset, memory_.data() + offset, bytes, bytes};
  }
  [[nodiscard]] bool arrived(const spi::Segment& segment) const {
    return std::memcmp(segment.memory, files_->contents.data() + segment.offset, segment.required) == 0;
  }

  std::shared_ptr<testing::FakeFileSystem> files_ = std::make_shared<testing::FakeFileSystem>();
  testing::ManualExecutor executor_;
  core::SettingsValues settings_;
  testing::FakeQueue* queue_ = nullptr;
  std::unique_ptr<spi::Engine> engine_;
  testing::AlignedMemory memory_{64 * 1024};
  std::uint64_t next_ns_ = 0;
};

class LocalFaultsEachWay : public LocalFaults, public ::testing::WithParamInterface<Way> {};
INSTANTIATE_TEST_SUITE_P(Ways, LocalFaultsEachWay, ::testing::Values(Way::cached, Way::queued, Way::direct),
                         [](const auto& parameter) {
                           return parameter.param == Way::cached   ? "Cached"
                                  : parameter.param == Way::queued ? "Queued"
                                                                   : "Direct";
                         });

TEST_P(LocalFaultsEachWay, ShortCountsAreContinuedAndCounted) {
  files_->on_read = [](std::uint64_t, std::size_t bytes) {
    return std::max<std::int64_t>(512, static_cast<std::int64_t>(bytes) / 2);
  };
  auto store = open();
  TestRun run(*store, RunKind::read, GetParam(), {segment(0, 16384), segment(32768, 8192)});
  store->start(run);
  settle();
  EXPECT_EQ(run.finished, 1);
  EXPECT_TRUE(run.failures.empty());
  EXPECT_TRUE(arrived(run.segments[0]) && arrived(run.segments[1]));
  EXPECT_GT(run.short_transfers, 0U);
}

TEST_P(LocalFaultsEachWay, InterruptionStormEndsWithTheBytes) {
  int calls = 0;
  files_->on_read = [&](std::uint64_t, std::size_t) -> std::optional<std::int64_t> {
    if (++calls % 50 != 0) return -EINTR;
    return std::nullopt;
  };
  auto store = open();
  TestRun run(*store, RunKind::read, GetParam(), {segment(0, 16384)});
  store->start(run);
  settle();
  EXPECT_EQ(run.finished, 1);
  EXPECT_TRUE(run.failures.empty());
  EXPECT_TRUE(arrived(run.segments[0]));
  EXPECT_GE(run.retries, 49U);
}

TEST_P(LocalFaultsEachWay, RefusalThatPassesIsTriedAgain) {
  int calls = 0;
  files_->on_read = [&](std::uint64_t, std::size_t) -> std::optional<std::int64_t> {
    if (++calls <= 5) return -EAGAIN;
    return std::nullopt;
  };
  auto store = open();
  TestRun run(*store, RunKind::read, GetParam(), {segment(4096, 4096)});
  store->start(run);
  settle();
  EXPECT_TRUE(run.failures.empty());
  EXPECT_TRUE(arrived(run.segments[0]));
  EXPECT_EQ(run.retries, 5U);
}

TEST_P(LocalFaultsEachWay, RefusalThatNeverPassesIsReported) {
  files_->on_read = [](std::uint64_t, std::size_t) { return -EAGAIN; };
  auto store = open();
  TestRun run(*store, RunKind::read, GetParam(), {segment(4096, 4096)});
  store->start(run);
  settle();
  ASSERT_EQ(run.failures.size(), 1U);
  EXPECT_EQ(run.failures[0].status.native(), EAGAIN);
}

TEST_P(LocalFaultsEachWay, FailedSegmentLeavesItsSiblingsDone) {
  files_->on_read = [](std::uint64_t offset, std::size_t) -> std::optional<std::int64_t> {
    if (offset == 20480) return -EIO;
    return std::nullopt;
  };
  auto store = open();
  TestRun run(*store, RunKind::read, GetParam(), {segment(0, 4096), segment(16384, 12288), segment(40960, 4096)});
  // The pool would move the second segment with one call.
  if (GetParam() == Way::cached) {
    files_->on_read = [](std::uint64_t offset, std::size_t) -> std::optional<std::int64_t> {
      if (offset == 16384) return -EIO;
      return std::nullopt;
    };
  }
  store->start(run);
  settle();
  EXPECT_EQ(run.finished, 1);
  ASSERT_EQ(run.failures.size(), 1U);
  EXPECT_EQ(run.failures[0].segment, 1U);
  const Status& status = run.failures[0].status;
  EXPECT_EQ(status.code(), Code::io_error);
  EXPECT_EQ(status.native(), EIO);
  EXPECT_NE(status.message().find("store=/fake/a.bin"), std::string_view::npos) << status.to_string();
  EXPECT_NE(status.message().find("offset="), std::string_view::npos) << status.to_string();
  EXPECT_NE(status.message().find("way="), std::string_view::npos) << status.to_string();
  EXPECT_TRUE(arrived(run.segments[0]) && arrived(run.segments[2]));
}

TEST_P(LocalFaultsEachWay, StoreCutWhileReadingIsEndOfFile) {
  files_->on_read = [this](std::uint64_t offset, std::size_t) -> std::optional<std::int64_t> {
    if (offset == 8192) files_->contents.resize(10000);
    if (offset > 8192) return 0;
    return std::nullopt;
  };
  auto store = open();
  TestRun run(*store, RunKind::read, GetParam(), {segment(0, 8192), segment(8192, 8192)});
  store->start(run);
  settle();
  EXPECT_EQ(run.finished, 1);
  ASSERT_EQ(run.failures.size(), 1U);
  EXPECT_EQ(run.failures[0].segment, 1U);
  EXPECT_EQ(run.failures[0].status.code(), Code::end_of_file);
  EXPECT_NE(run.failures[0].status.message().find("got="), std::string_view::npos);
}

TEST_P(LocalFaultsEachWay, FullDiskIsNoSpaceAndSiblingsAreWritten) {
  files_->on_write = [](std::uint64_t offset, std::size_t) -> std::optional<std::int64_t> {
    if (offset >= 32768) return -ENOSPC;
    return std::nullopt;
  };
  auto store = open();
  TestRun run(*store, RunKind::write, GetParam(), {segment(0, 4096), segment(32768, 4096)});
  store->start(run);
  settle();
  ASSERT_EQ(run.failures.size(), 1U);
  EXPECT_EQ(run.failures[0].segment, 1U);
  EXPECT_EQ(run.failures[0].status.code(), Code::no_space);
  EXPECT_TRUE(arrived(run.segments[0]));
}

TEST_P(LocalFaultsEachWay, CancelledRunFinishesWithEverySegmentAccountedFor) {
  auto store = open();
  TestRun run(*store, RunKind::read, GetParam(), {segment(0, 4096), segment(8192, 32768), segment(49152, 4096)});
  store->start(run);
  store->cancel(run);
  settle();
  EXPECT_EQ(run.finished, 1);
  ASSERT_EQ(run.failures.size(), 3U);
  for (const spi::SegmentFailure& failure : run.failures) EXPECT_EQ(failure.status.code(), Code::cancelled);
}

TEST_P(LocalFaultsEachWay, NothingStartsAfterTheDeadline) {
  int reads = 0;
  files_->on_read = [&](std::uint64_t, std::size_t) -> std::optional<std::int64_t> {
    ++reads;
    return std::nullopt;
  };
  auto store = open();
  TestRun run(*store, RunKind::read, GetParam(), {segment(0, 4096), segment(8192, 4096)});
  run.deadline_ns = 5;
  executor_.clock_.now_ = 5;
  store->start(run);
  settle();
  EXPECT_EQ(reads, 0);
  ASSERT_EQ(run.failures.size(), 2U);
  EXPECT_EQ(run.failures[0].status.code(), Code::deadline_exceeded);
}

TEST_F(LocalFaults, CancelAsksTheQueueAndWaitsForWhatIsUnderWay) {
  auto store = open();
  TestRun run(*store, RunKind::read, Way::direct, {segment(0, 32768)});
  store->start(run);
  poll();
  ASSERT_EQ(queue_->held.size(), 4U);
  store->cancel(run);
  EXPECT_EQ(queue_->cancelled.size(), 4U);
  poll();
  EXPECT_EQ(run.finished, 0) << "operations in flight may still move bytes";
  queue_->complete(0, -ECANCELED);
  queue_->perform(0);
  queue_->perform(0);
  poll();
  EXPECT_EQ(run.finished, 0);
  queue_->perform(0);
  poll();
  EXPECT_EQ(run.finished, 1);
  ASSERT_EQ(run.failures.size(), 1U);
  EXPECT_EQ(run.failures[0].status.code(), Code::cancelled);
}

TEST_F(LocalFaults, CancelOfARunThatIsOverDoesNothing) {
  auto store = open();
  TestRun first(*store, RunKind::read, Way::direct, {segment(0, 4096)});
  store->start(first);
  settle();
  TestRun second(*store, RunKind::read, Way::direct, {segment(4096, 4096)});
  store->start(second);
  store->cancel(first);
  settle();
  EXPECT_EQ(second.finished, 1);
  EXPECT_TRUE(second.failures.empty());
}

TEST_F(LocalFaults, CompletionsInAnyOrderFillTheRun) {
  settings_.local_queue_depth_max = 4;
  auto store = open();
  TestRun run(*store, RunKind::read, Way::direct, {segment(0, 65536)});
  store->start(run);
  base::Random random(5);
  while (run.finished == 0) {
    poll();
    if (!queue_->held.empty()) queue_->perform(random.uniform(queue_->held.size()));
  }
  EXPECT_TRUE(run.failures.empty());
  EXPECT_TRUE(arrived(run.segments[0]));
}

TEST_F(LocalFaults, DepthIsNeverExceededAndAFullQueueIsAskedAgain) {
  queue_->room = 2;
  auto store = open();
  TestRun run(*store, RunKind::read, Way::direct, {segment(0, 65536)});
  store->start(run);
  settle();
  EXPECT_EQ(run.finished, 1);
  EXPECT_TRUE(arrived(run.segments[0]));
  EXPECT_LE(queue_->held_max, 4U);
}

TEST_F(LocalFaults, UrgentRunGoesBeforeOneThatCameFirst) {
  auto store = open();
  TestRun bulk(*store, RunKind::read, Way::direct, {segment(0, 32768)});
  TestRun urgent(*store, RunKind::read, Way::direct, {segment(40960, 4096)});
  urgent.urgent = true;
  store->start(bulk);
  poll();
  store->start(urgent);
  queue_->perform(0);
  poll();
  ASSERT_EQ(queue_->held.size(), 4U);
  EXPECT_EQ(queue_->held.back().offset, 40960U);
  settle();
  EXPECT_EQ(bulk.finished + urgent.finished, 2);
}

TEST_F(LocalFaults, RejectedAlignmentIsRaisedThenGivenUpAndTheBytesArriveAllTheSame) {
  auto store = open();
  const spi::FileHandle direct_handle = 102;
  files_->on_read = nullptr;
  TestRun run(*store, RunKind::read, Way::direct, {segment(512, 4096)});
  store->start(run);
  poll();
  ASSERT_EQ(queue_->held.at(0).file, direct_handle);
  queue_->complete(0, -EINVAL);
  poll();
  ASSERT_EQ(queue_->held.at(0).file, direct_handle - 1) << "goes on through the page cache";
  settle();
  EXPECT_TRUE(run.failures.empty());
  EXPECT_TRUE(arrived(run.segments[0]));
  EXPECT_EQ(store->plan(RunKind::read, 0, 1 << 20, CacheUse::automatic).offset_alignment, 4096U);

  TestRun whole(*store, RunKind::read, Way::direct, {segment(4096, 4096)});
  store->start(whole);
  poll();
  queue_->complete(0, -EINVAL);
  settle();
  EXPECT_TRUE(arrived(whole.segments[0]));
  EXPECT_EQ(store->plan(RunKind::read, 0, 1 << 20, CacheUse::automatic).way, Way::queued);
}

TEST_F(LocalFaults, FailedFlushPoisonsTheStoreUntilItIsOpenedAnew) {
  auto store = open();
  files_->flush_result = -EIO;
  EXPECT_EQ(store->flush().code(), Code::io_error);
  files_->flush_result = 0;
  EXPECT_EQ(store->flush().code(), Code::poisoned);
  EXPECT_EQ(store->commit().code(), Code::poisoned);
  EXPECT_EQ(store->truncate(0).code(), Code::poisoned);
  for (const Way way : {Way::cached, Way::direct}) {
    TestRun run(*store, RunKind::write, way, {segment(0, 4096)});
    store->start(run);
    settle();
    ASSERT_EQ(run.failures.size(), 1U);
    EXPECT_EQ(run.failures[0].status.code(), Code::poisoned);
  }
  TestRun read(*store, RunKind::read, Way::direct, {segment(0, 4096)});
  store->start(read);
  settle();
  EXPECT_TRUE(read.failures.empty()) << "what can be read may be read";
  EXPECT_TRUE(open()->flush().ok());
}

TEST_F(LocalFaults, FlushRunFailsAndPoisonsAsFlushDoes) {
  auto store = open();
  files_->flush_result = -EIO;
  TestRun run(*store, RunKind::flush, Way::queued, {});
  store->start(run);
  settle();
  EXPECT_EQ(run.finished, 1);
  ASSERT_EQ(run.failures.size(), 1U);
  EXPECT_EQ(run.failures[0].status.native(), EIO);
  EXPECT_EQ(store->flush().code(), Code::poisoned);
}

TEST_F(LocalFaults, ReplaceIsFlushedBeforeItIsPutInPlaceAndRemovedIfItIsNot) {
  auto store = open(OpenMode::replace);
  const std::string aside = files_->opened.at(0);
  EXPECT_EQ(aside.rfind("/fake/.a.bin.gpuio-", 0), 0U) << aside;
  EXPECT_TRUE(store->commit().ok());
  EXPECT_EQ(files_->flushes, 1);
  ASSERT_EQ(files_->renames.size(), 1U);
  EXPECT_EQ(files_->renames[0], std::make_pair(aside, std::string("/fake/a.bin")));
  store.reset();
  EXPECT_TRUE(files_->removed.empty());

  auto dropped = open(OpenMode::replace);
  dropped.reset();
  EXPECT_EQ(files_->removed.size(), 1U);
}

TEST_F(LocalFaults, FailedFlushKeepsTheOldContentsInPlace) {
  auto store = open(OpenMode::replace);
  files_->flush_result = -EIO;
  EXPECT_FALSE(store->commit().ok());
  EXPECT_FALSE(store->commit().ok());
  EXPECT_TRUE(files_->renames.empty());
}

TEST_F(LocalFaults, QueueForgetsAHandleBeforeItsNumberIsUsedAgain) {
  auto store = open();
  TestRun run(*store, RunKind::read, Way::direct, {segment(0, 4096)});
  store->start(run);
  settle();
  store.reset();
  EXPECT_EQ(files_->closed.size(), 2U);
  auto other = open();
  TestRun next(*other, RunKind::read, Way::direct, {segment(0, 4096)});
  other->start(next);
  EXPECT_EQ(queue_->forgotten.size(), 2U) << "before the next run's operations are prepared";
  settle();
}

TEST_F(LocalFaults, PlanningManySmallPiecesAsksTheKernelOncePerWindow) {
  auto store = open();
  for (std::uint64_t offset = 0; offset < 60000; offset += 512) {
    EXPECT_EQ(store->plan(RunKind::read, offset, 512, CacheUse::automatic).way, Way::direct);
  }
  EXPECT_EQ(files_->resident_calls, 1);
  files_->resident_bytes = 64 * 1024;
  executor_.clock_.now_ += 1'000'000'000;
  EXPECT_EQ(store->plan(RunKind::read, 0, 512, CacheUse::automatic).way, Way::cached) << "an old answer is asked anew";
}

TEST_F(LocalFaults, ReadNowBlocksOnNothing) {
  auto store = open();
  EXPECT_EQ(store->read_now(segment(0, 4096)).code(), Code::would_block);
  files_->resident_bytes = 1;
  files_->on_read = [](std::uint64_t, std::size_t) { return 1000; };
  EXPECT_TRUE(store->read_now(segment(0, 4096)).ok());
  EXPECT_TRUE(arrived(segment(0, 4096)));
}

}  // namespace
}  // namespace gpuio::local
