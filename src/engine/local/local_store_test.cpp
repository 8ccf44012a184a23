// SPDX-License-Identifier: Apache-2.0
// The engine over the real system: bytes against pread on a disk and on tmpfs, opening, replacing, residency.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <functional>
#include <map>
#include <thread>

#include "core/executor/thread_executor.h"
#include "core/settings/settings_values.h"
#include "engine/local/local_testing.h"
#include "engine/local/residency_map.h"
#include "engine/local/system_engine.h"

namespace gpuio::local {
namespace {

using spi::RunKind;
using spi::Way;
using testing::TestRun;

class ReactorCall final : public spi::Pollable {
 public:
  ReactorCall(spi::Executor& executor, std::function<void()> work) : executor_(executor), work_(std::move(work)) {}
  void carry_out() {
    executor_.attach(*this);
    executor_.wait(done_, 0, spi::kNever);
    executor_.detach(*this);
  }
  std::uint64_t poll(std::uint64_t /*now_ns*/) override {
    if (work_) {
      std::exchange(work_, nullptr)();
      done_ = 1;
      executor_.notify(done_);
    }
    return spi::kNever;
  }

 private:
  spi::Executor& executor_;
  std::function<void()> work_;
  std::atomic<std::uint32_t> done_{0};
};

/// Calls on the reactor thread, where a store's members want to be called.
void on_reactor(spi::Executor& executor, std::function<void()> work) {
  ReactorCall call(executor, std::move(work));
  call.carry_out();
}

struct Place {
  const char* name;
  const char* folder;
  const char* queue;
};

class LocalStoreTest : public ::testing::Test {
 protected:
  void start(const std::string& folder, const std::string& queue = "auto") {
    folder_ = std::make_unique<testing::TemporaryFolder>(folder);
    settings_.local_engine = queue;
    settings_.local_queue_depth_max = 16;
    executor_ = *core::ThreadExecutor::start(clock_);
    engine_ = make_engine({*executor_, settings_}, system_options());
    executor_->attach(*engine_);
  }
  void TearDown() override {
    if (executor_) executor_->detach(*engine_);
    engine_.reset();
    executor_.reset();
  }

  std::shared_ptr<spi::Store> open(const std::string& path, OpenMode mode = OpenMode::read, std::uint64_t size = 0) {
    OpenOptions options;
    options.mode = mode;
    options.size_bytes = size;
    auto store = engine_->open(testing::uri_of(path), options);
    EXPECT_TRUE(store) << store.status().to_string();
    return store ? *store : nullptr;
  }
  Status open_error(const spi::Uri& uri, const OpenOptions& options = {}) {
    return engine_->open(uri, options).status();
  }

  void carry_out(TestRun& run) {
    on_reactor(*executor_, [&] { run.store->start(run); });
    while (run.finished == 0) std::this_thread::yield();
  }
  spi::Plan plan(spi::Store& store, RunKind kind, std::uint64_t offset, std::uint64_t length,
                 CacheUse cache = CacheUse::automatic) {
    spi::Plan plan;
    on_reactor(*executor_, [&] { plan = store.plan(kind, offset, length, cache); });
    return plan;
  }

  base::SystemClock clock_;
  core::SettingsValues settings_;
  std::unique_ptr<testing::TemporaryFolder> folder_;
  std::unique_ptr<core::ThreadExecutor> executor_;
  std::unique_ptr<spi::Engine> engine_;
};

class LocalOracle : public LocalStoreTest, public ::testing::WithParamInterface<Place> {};
INSTANTIATE_TEST_SUITE_P(Places, LocalOracle,
                         ::testing::Values(Place{"DiskUring", "/var/tmp", "auto"},
                                           Place{"DiskThreads", "/var/tmp", "threads"},
                                           Place{"TmpfsUring", "/dev/shm", "auto"}),
                         [](const auto& parameter) { return parameter.param.name; });

TEST_P(LocalOracle, ReadsOfAnyOffsetLengthAndWayGiveWhatPreadGives) {
  start(GetParam().folder, GetParam().queue);
  const std::vector<std::byte> contents = testing::random_bytes((3 << 20) + 777, 21);
  const std::string path = folder_->file("oracle");
  testing::write_file(path, contents);
  auto store = open(path);
  ASSERT_EQ(store->size(), contents.size());
  testing::AlignedMemory memory(8 << 20);
  base::Random random(22);
  for (int round = 0; round < 150; ++round) {
    if (round % 10 == 0) testing::drop_from_cache(path);
    const Way way = static_cast<Way>(random.uniform(3));
    const auto plan_now = plan(*store, RunKind::read, 0, contents.size(), CacheUse::direct);
    const bool aligned = way == Way::direct;
    if (aligned && plan_now.way != Way::direct) continue;  // tmpfs
    const std::uint64_t unit = aligned ? plan_now.offset_alignment : 1;
    std::vector<spi::Segment> segments;
    std::size_t used = 0;
    const auto count = 1 + random.uniform(20);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t length_max = random.chance(0.2) ? 600'000 : 9000;
      const std::uint64_t wanted = 1 + random.uniform(length_max);
      const std::uint64_t offset = random.uniform(contents.size()) / unit * unit;
      const std::uint64_t required = std::min<std::uint64_t>(wanted, contents.size() - offset);
      const std::uint64_t bytes = (wanted + unit - 1) / unit * unit;
      if (aligned) used = (used + 511) / 512 * 512;
      if (used + bytes > memory.size()) break;
      segments.push_back({offset, memory.data() + used, std::uint32_t(bytes), std::uint32_t(required)});
      used += bytes + (aligned ? 0 : random.uniform(7));
    }
    TestRun run(*store, RunKind::read, way, segments);
    carry_out(run);
    ASSERT_TRUE(run.failures.empty()) << run.failures[0].status.to_string();
    for (const spi::Segment& segment : segments) {
      ASSERT_EQ(std::memcmp(segment.memory, contents.data() + segment.offset, segment.required), 0)
          << "round " << round << " offset " << segment.offset << " length " << segment.required;
    }
  }
}

TEST_P(LocalOracle, WritesAsPlannedAndReadsBesideThemAgreeWithAModel) {
  start(GetParam().folder, GetParam().queue);
  std::vector<std::byte> model = testing::random_bytes((2 << 20) + 333, 31);
  const std::string path = folder_->file("model");
  testing::write_file(path, model);
  auto store = open(path, OpenMode::write);
  testing::AlignedMemory memory(1 << 20);
  base::Random random(32);
  std::map<Way, int> ways;
  for (int round = 0; round < 200; ++round) {
    const std::uint64_t page = random.chance(0.5) ? 4096 : 1;
    const std::uint64_t offset = random.uniform(model.size() + 10000) / page * page;
    const std::uint64_t length = std::max<std::uint64_t>((1 + random.uniform(300'000)) / page * page, page);
    const std::vector<std::byte> bytes = testing::random_bytes(length, random.next());
    std::memcpy(memory.data(), bytes.data(), length);
    const CacheUse cache = static_cast<CacheUse>(random.uniform(3));
    for (std::uint64_t done = 0; done < length;) {
      const spi::Plan now = plan(*store, RunKind::write, offset + done, length - done, cache);
      const auto part = static_cast<std::uint32_t>(std::min(now.length, length - done));
      ASSERT_NE(part, 0U);
      std::byte* source = memory.data() + done;
      testing::AlignedMemory aligned(part);
      if (now.way == Way::direct) {
        ASSERT_EQ((offset + done) % 4096, 0U);
        ASSERT_EQ(part % 4096, 0U);
        std::memcpy(aligned.data(), source, part);
        source = aligned.data();
      }
      ++ways[now.way];
      TestRun run(*store, RunKind::write, now.way, {{offset + done, source, part, 0}});
      carry_out(run);
      ASSERT_TRUE(run.failures.empty()) << run.failures[0].status.to_string();
      done += part;
    }
    if (offset + length > model.size()) model.resize(offset + length);
    std::memcpy(model.data() + offset, bytes.data(), length);
    ASSERT_EQ(store->size(), model.size());
    if (round % 20 != 0) continue;
    ASSERT_EQ(testing::read_file(path), model) << "round " << round;
  }
  EXPECT_TRUE(store->flush().ok());
  EXPECT_EQ(testing::read_file(path), model);
  EXPECT_GT(ways[Way::cached], 0);
  if (std::string(GetParam().folder) != "/dev/shm" && store->explain().find("O_DIRECT aligned") != std::string::npos) {
    EXPECT_GT(ways[Way::direct], 0);
  }
}

TEST_F(LocalStoreTest, WhatIsResidentIsPlannedThroughTheCacheAndWhatIsColdAroundIt) {
  start("/var/tmp");
  const std::string path = folder_->file("cold");
  testing::write_file(path, testing::random_bytes(4 << 20, 1));
  auto store = open(path);
  spi::Plan hot = plan(*store, RunKind::read, 0, 4 << 20);
  EXPECT_EQ(hot.way, Way::cached);
  EXPECT_TRUE(hot.resident && hot.lendable);
  EXPECT_EQ((*store->residency(0, 4 << 20)).resident_bytes, 4U << 20);
  testing::drop_from_cache(path);
  if ((*store->residency(0, 4 << 20)).resident_bytes != 0) GTEST_SKIP() << "this file system keeps its pages";
  std::this_thread::sleep_for(std::chrono::nanoseconds(ResidencyMap::kValidNs));
  spi::Plan cold = plan(*store, RunKind::read, 1, 1 << 20);
  EXPECT_NE(cold.way, Way::cached);
  EXPECT_FALSE(cold.resident);
  EXPECT_EQ(store->read_now({0, reinterpret_cast<std::byte*>(&cold), 8, 8}).code(), Code::would_block);
  EXPECT_EQ(plan(*store, RunKind::read, 1, 100, CacheUse::cached).way, Way::queued);
}

TEST_F(LocalStoreTest, MemoryFileSystemsAreAlwaysResidentAndLendable) {
  start("/dev/shm");
  const std::string path = folder_->file("hot");
  testing::write_file(path, testing::random_bytes(1 << 20, 1));
  auto store = open(path);
  const spi::Plan now = plan(*store, RunKind::read, 5, 1000);
  EXPECT_TRUE(now.way == Way::cached && now.resident && now.lendable);
  EXPECT_EQ(now.length, (1U << 20) - 5) << "the whole file is";
  EXPECT_EQ(store->tier(), "dram");
  OpenOptions direct;
  direct.cache = CacheUse::direct;
  EXPECT_EQ(open_error(testing::uri_of(path), direct).code(), Code::unsupported);
}

TEST_F(LocalStoreTest, LentPagesAreTheFilesAndACutIsNoticed) {
  start("/dev/shm");
  const std::vector<std::byte> contents = testing::random_bytes(100'000, 1);
  const std::string path = folder_->file("lent");
  testing::write_file(path, contents);
  auto store = open(path);
  const spi::Loan loan = *store->lend(5000, 20000);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(loan.base) % 4096, 0U);
  EXPECT_EQ(loan.base_bytes % 4096, 0U);
  EXPECT_EQ(std::memcmp(loan.memory, contents.data() + 5000, 20000), 0);
  EXPECT_TRUE(store->check_lent(5000, 20000).ok());
  ASSERT_EQ(truncate(path.c_str(), 24'000), 0);
  EXPECT_EQ(store->check_lent(5000, 20000).code(), Code::end_of_file);
  store->take_back(loan);
}

TEST_F(LocalStoreTest, IdentityChangesWithContentsAndIsUnknownRightAfterAChange) {
  start("/var/tmp");
  const std::string path = folder_->file("identity");
  testing::write_file(path, testing::random_bytes(1000, 1));
  auto store = open(path);
  // Who is late with the question asks it after another change.
  bool in_time = false;
  for (int i = 0; i < 10'000 && !in_time; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    testing::write_file(path, testing::random_bytes(1000, 1));
    const std::uint64_t identity = store->identity();
    in_time = std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(10);
    EXPECT_TRUE(identity == 0 || !in_time) << "another change could carry the same time stamp";
  }
  ASSERT_TRUE(in_time);
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  const std::uint64_t before = store->identity();
  EXPECT_NE(before, 0U);
  EXPECT_EQ(store->identity(), before);
  EXPECT_EQ(open(path)->identity(), before);
  testing::write_file(path, testing::random_bytes(1000, 2));
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT_NE(store->identity(), before);
}

TEST_F(LocalStoreTest, OpeningSaysWhatIsWrong) {
  start("/var/tmp");
  EXPECT_EQ(open_error(testing::uri_of(folder_->file("missing"))).code(), Code::not_found);
  const Status directory = open_error(testing::uri_of(folder_->path().string()));
  EXPECT_EQ(directory.code(), Code::invalid_argument);
  EXPECT_NE(directory.message().find("gpuio load"), std::string_view::npos);
  OpenOptions writing;
  writing.mode = OpenMode::write;
  EXPECT_EQ(open_error(testing::uri_of(folder_->path().string()), writing).code(), Code::invalid_argument);
  EXPECT_EQ(open_error(testing::uri_of("")).code(), Code::invalid_argument);
  const std::string fifo = folder_->file("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(open_error(testing::uri_of(fifo)).code(), Code::unsupported) << "and does not wait for a writer";
}

TEST_F(LocalStoreTest, UnknownParameterNamesTheNearestAndWrongValueTheChoices) {
  start("/var/tmp");
  const std::string path = folder_->file("a");
  testing::write_file(path, testing::random_bytes(10, 1));
  spi::Uri uri = testing::uri_of(path);
  uri.parameters = {{"dirct", "never"}};
  EXPECT_NE(open_error(uri).message().find("'direct'"), std::string_view::npos);
  uri.parameters = {{"direct", "maybe"}};
  EXPECT_NE(open_error(uri).message().find("always"), std::string_view::npos);
  uri.parameters = {{"direct", "never"}};
  auto store = engine_->open(uri, {});
  ASSERT_TRUE(store);
  EXPECT_EQ(plan(**store, RunKind::write, 0, 8 << 20).way, Way::cached);
}

TEST_F(LocalStoreTest, CreateMakesMissingFilesWithTheLengthAskedForAndKeepsOthers) {
  start("/var/tmp");
  const std::string path = folder_->file("new");
  EXPECT_EQ(open(path, OpenMode::create, 50'000)->size(), 50'000U);
  EXPECT_EQ(testing::read_file(path).size(), 50'000U);
  const std::vector<std::byte> contents = testing::random_bytes(1000, 1);
  testing::write_file(path, contents);
  open(path, OpenMode::create);
  EXPECT_EQ(testing::read_file(path), contents);
}

TEST_F(LocalStoreTest, ReplaceShowsTheNewContentsOnlyAfterCommitAndKeepsPermissions) {
  start("/var/tmp");
  const std::string path = folder_->file("replaced");
  const std::vector<std::byte> old = testing::random_bytes(1000, 1);
  const std::vector<std::byte> contents = testing::random_bytes(5000, 2);
  testing::write_file(path, old);
  ASSERT_EQ(chmod(path.c_str(), 0640), 0);
  for (const bool commit : {false, true}) {
    auto store = open(path, OpenMode::replace);
    std::vector<std::byte> source = contents;
    TestRun run(*store, RunKind::write, Way::cached, {{0, source.data(), std::uint32_t(source.size()), 0}});
    carry_out(run);
    EXPECT_EQ(testing::read_file(path), old);
    if (!commit) continue;
    EXPECT_TRUE(store->commit().ok());
    EXPECT_TRUE(store->commit().ok()) << "a second commit is a flush";
  }
  EXPECT_EQ(testing::read_file(path), contents);
  struct stat found{};
  ASSERT_EQ(stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0640U);
  const std::string others = "test -z \"$(ls -A " + folder_->path().string() + " | grep -v '^replaced$')\"";
  EXPECT_EQ(std::system(others.c_str()), 0) << "something was left aside";
}

TEST_F(LocalStoreTest, FileCutByOthersFailsWhereItEndsAndNotBefore) {
  start("/var/tmp");
  const std::string path = folder_->file("cut");
  testing::write_file(path, testing::random_bytes(1 << 20, 1));
  auto store = open(path);
  ASSERT_EQ(truncate(path.c_str(), 300'000), 0);
  testing::AlignedMemory memory(1 << 20);
  for (const Way way : {Way::cached, Way::queued, Way::direct}) {
    if (way == Way::direct && plan(*store, RunKind::read, 0, 4096, CacheUse::direct).way != way) continue;
    TestRun run(*store, RunKind::read, way,
                {{0, memory.data(), 262144, 262144}, {262144, memory.data() + 262144, 65536, 65536}});
    carry_out(run);
    ASSERT_EQ(run.failures.size(), 1U);
    EXPECT_EQ(run.failures[0].segment, 1U);
    EXPECT_EQ(run.failures[0].status.code(), Code::end_of_file);
  }
}

TEST_F(LocalStoreTest, ManyRunsOfManyStoresAtOnceAllEndWithTheirBytes) {
  start("/var/tmp");
  constexpr int kStores = 6;
  constexpr int kRuns = 40;
  const std::vector<std::byte> contents = testing::random_bytes(1 << 20, 1);
  std::vector<std::shared_ptr<spi::Store>> stores;
  for (int i = 0; i < kStores; ++i) {
    testing::write_file(folder_->file(std::to_string(i)), contents);
    stores.push_back(open(folder_->file(std::to_string(i))));
  }
  testing::AlignedMemory memory(std::size_t{kStores} * kRuns * 65536);
  std::vector<std::unique_ptr<TestRun>> runs;
  for (int i = 0; i < kStores * kRuns; ++i) {
    const auto offset = static_cast<std::uint64_t>(i % 16) * 65536;
    auto run = std::make_unique<TestRun>(
        *stores[static_cast<std::size_t>(i % kStores)], RunKind::read, static_cast<Way>(i % 3),
        std::vector<spi::Segment>{{offset, memory.data() + std::size_t(i) * 65536, 65536, 65536}});
    run->urgent = i % 5 == 0;
    runs.push_back(std::move(run));
  }
  on_reactor(*executor_, [&] {
    for (auto& run : runs) run->store->start(*run);
  });
  for (auto& run : runs) {
    while (run->finished == 0) std::this_thread::yield();
    ASSERT_TRUE(run->failures.empty()) << run->failures[0].status.to_string();
    const spi::Segment& segment = run->segments[0];
    EXPECT_EQ(std::memcmp(segment.memory, contents.data() + segment.offset, segment.bytes), 0);
  }
}

TEST_F(LocalStoreTest, ThousandsOfOpeningsLeaveNoDescriptorOpen) {
  start("/var/tmp");
  const std::string path = folder_->file("many");
  testing::write_file(path, testing::random_bytes(8192, 1));
  const auto open_descriptors = [] {
    int count = 0;
    for (int file = 0; file < 4096; ++file) count += fcntl(file, F_GETFD) >= 0 ? 1 : 0;
    return count;
  };
  const int before = open_descriptors();
  testing::AlignedMemory memory(4096);
  for (int i = 0; i < 3000; ++i) {
    auto store = open(path);
    if (i % 100 != 0) continue;
    TestRun run(*store, RunKind::read, Way::queued, {{0, memory.data(), 4096, 4096}});
    carry_out(run);
    ASSERT_TRUE(run.failures.empty());
  }
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace gpuio::local
