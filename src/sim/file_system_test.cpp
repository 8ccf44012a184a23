// SPDX-License-Identifier: Apache-2.0
#include "sim/file_system.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "sim/queue.h"

namespace gpuio::sim {
namespace {

constexpr spi::FileOpenOptions kWrite{.access = spi::FileAccess::write, .create = true};

class SimFileSystem : public testing::Test {
 protected:
  std::int64_t write(spi::FileHandle file, std::uint64_t offset, std::uint64_t bytes, int value) {
    const std::vector<std::byte> memory(bytes, static_cast<std::byte>(value));
    return files_.write(file, offset, memory);
  }
  void strike(Fault fault, double probability = 1) {
    FaultPlan plan;
    plan[fault] = probability;
    fate_->set_plan(plan);
  }

  std::shared_ptr<Fate> fate_ = std::make_shared<Fate>(5);
  base::ManualClock clock_;
  FileSystem files_{fate_, DiskModel(), [this](std::uint64_t ns) { clock_.advance(ns); }};
};

TEST_F(SimFileSystem, WhatWasFlushedSurvivesAPowerCutAndTheRestMayNot) {
  const spi::FileHandle file = files_.open("/f", kWrite).value();
  ASSERT_EQ(write(file, 0, 4096, 1), 4096);
  ASSERT_EQ(files_.flush(file), 0);
  ASSERT_EQ(write(file, 0, 2048, 2), 2048);
  strike(Fault::lost_sector);
  files_.restore_power();
  EXPECT_EQ(files_.contents("/f"), std::vector<std::byte>(4096, std::byte{1}));
}

TEST_F(SimFileSystem, WhatAFailedFlushLostNoLaterFlushBringsBack) {
  const spi::FileHandle file = files_.open("/f", kWrite).value();
  ASSERT_EQ(write(file, 0, 1024, 1), 1024);
  ASSERT_EQ(files_.flush(file), 0);
  ASSERT_EQ(write(file, 0, 1024, 2), 1024);
  FaultPlan plan;
  plan[Fault::flush_failed] = plan[Fault::lost_sector] = 1;
  fate_->set_plan(plan);
  EXPECT_EQ(files_.flush(file), -EIO);
  fate_->set_plan({});
  EXPECT_EQ(files_.contents("/f"), std::vector<std::byte>(1024, std::byte{2}))
      << "readers see the new bytes until then";
  EXPECT_EQ(files_.flush(file), 0);
  files_.restore_power();
  EXPECT_EQ(files_.contents("/f"), std::vector<std::byte>(1024, std::byte{1}));
}

TEST_F(SimFileSystem, ANameThatNoFolderFlushMadeDurableMayBeGone) {
  bool kept = false;
  bool gone = false;
  for (int i = 0; i < 50; ++i) {
    const std::string path = "/" + std::to_string(i);
    ASSERT_TRUE(files_.open(path, kWrite));
    files_.restore_power();
    (files_.exists(path) ? kept : gone) = true;
  }
  EXPECT_TRUE(kept);
  EXPECT_TRUE(gone);
}

TEST_F(SimFileSystem, DirectAccessRejectsWhatIsNotAligned) {
  ASSERT_TRUE(files_.add("/f", std::vector<std::byte>(8192)).ok());
  const spi::FileHandle file = files_.open("/f", {.direct = true}).value();
  alignas(4096) std::array<std::byte, 4096> memory;
  EXPECT_EQ(files_.read(file, 0, memory, false), 4096);
  EXPECT_EQ(files_.read(file, 1, memory, false), -EINVAL);
  EXPECT_EQ(files_.read(file, 0, std::span(memory).first(100), false), -EINVAL);
  EXPECT_EQ(files_.read(file, 0, std::span(memory).subspan(1, 512), false), -EINVAL);
}

TEST_F(SimFileSystem, WithoutWaitingOnlyResidentBytesAreRead) {
  ASSERT_TRUE(files_.add("/f", std::vector<std::byte>(8192)).ok());
  const spi::FileHandle file = files_.open("/f", {}).value();
  std::array<std::byte, 8192> memory;
  EXPECT_EQ(files_.read(file, 0, memory, true), -EAGAIN);
  EXPECT_EQ(files_.read(file, 0, std::span(memory).first(10), false), 10);
  EXPECT_EQ(files_.read(file, 0, memory, true), 4096);
}

TEST_F(SimFileSystem, ShortTransfersMoveAtLeastOneByteAndAtMostAll) {
  ASSERT_TRUE(files_.add("/f", std::vector<std::byte>(1000, std::byte{9})).ok());
  const spi::FileHandle file = files_.open("/f", {}).value();
  strike(Fault::short_transfer);
  std::set<std::int64_t> counts;
  std::array<std::byte, 1000> memory;
  for (int i = 0; i < 200; ++i) counts.insert(files_.read(file, 0, memory, false));
  EXPECT_GT(counts.size(), 50U);
  EXPECT_GE(*counts.begin(), 1);
  EXPECT_LE(*counts.rbegin(), 1000);
}

TEST_F(SimFileSystem, ABadSectorStaysBadUntilItIsWritten) {
  ASSERT_TRUE(files_.add("/f", std::vector<std::byte>(512)).ok());
  const spi::FileHandle file = files_.open("/f", kWrite).value();
  std::array<std::byte, 512> memory;
  strike(Fault::bad_sector);
  EXPECT_EQ(files_.read(file, 0, memory, false), -EIO);
  fate_->set_plan({});
  EXPECT_EQ(files_.read(file, 0, memory, false), -EIO);
  EXPECT_EQ(write(file, 0, 512, 3), 512);
  EXPECT_EQ(files_.read(file, 0, memory, false), 512);
}

TEST_F(SimFileSystem, AQueueTouchesMemoryWhenAnOperationCompletesAndNotBefore) {
  auto files = std::make_shared<FileSystem>(fate_, DiskModel(), [](std::uint64_t) {});
  ASSERT_TRUE(files->add("/f", std::vector<std::byte>(512, std::byte{9})).ok());
  Queue queue(fate_, files, clock_);
  std::array<std::byte, 512> memory{};
  spi::StorageOperation read{
      spi::StorageOperation::Kind::read, files->open("/f", {}).value(), 0, memory.data(), 512, 42};
  ASSERT_EQ(queue.submit({&read, 1}), 1U);
  std::array<spi::StorageResult, 4> results;
  EXPECT_EQ(queue.reap(results), 0U);
  EXPECT_EQ(memory[0], std::byte{0});
  clock_.advance(1'000'000'000);
  ASSERT_EQ(queue.reap(results), 1U);
  EXPECT_EQ(results[0].cookie, 42U);
  EXPECT_EQ(results[0].result, 512);
  EXPECT_EQ(memory[511], std::byte{9});
}

}  // namespace
}  // namespace gpuio::sim
