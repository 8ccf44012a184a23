// SPDX-License-Identifier: Apache-2.0
#include "engine/local/batch_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "base/unique_fd.h"
#include "engine/local/local_testing.h"

namespace gpuio::local {
namespace {

class BatchReader : public ::testing::Test {
 protected:
  static constexpr std::size_t kFileBytes = 1 << 20;

  void SetUp() override {
    const std::string path = folder_.file("batch");
    testing::write_file(path, contents_);
    file_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(file_);
  }

  std::vector<spi::ReadPart> parts(std::size_t count, std::span<std::byte> memory) {
    std::vector<spi::ReadPart> parts;
    for (std::size_t i = 0; i < count; ++i) {
      parts.push_back({i * 7919 % (kFileBytes - 100), memory.subspan(i * 100, 100), 0});
    }
    return parts;
  }

  /// Reads all of `parts`, as often as it takes; false where there is no io_uring.
  bool read_all(std::span<spi::ReadPart> parts) {
    while (!parts.empty()) {
      const std::size_t ended = read_batch(file_.get(), parts);
      if (ended == 0) return false;
      parts = parts.subspan(ended);
    }
    return true;
  }

  void expect_contents(std::span<const spi::ReadPart> parts) {
    for (const spi::ReadPart& part : parts) {
      ASSERT_EQ(part.result, static_cast<std::int64_t>(part.memory.size()));
      EXPECT_TRUE(std::equal(part.memory.begin(), part.memory.end(),
                             contents_.begin() + static_cast<std::ptrdiff_t>(part.offset)));
    }
  }

  testing::TemporaryFolder folder_{"/var/tmp"};
  std::vector<std::byte> contents_ = testing::random_bytes(kFileBytes, 3);
  base::UniqueFd file_;
};

TEST_F(BatchReader, ManyReadsEndWithTheirBytesInMemoryOrNot) {
  std::vector<std::byte> memory(200 * 100);
  for (const bool cold : {false, true}) {
    if (cold) testing::drop_from_cache(folder_.file("batch"));
    std::vector<spi::ReadPart> reads = parts(200, memory);
    if (!read_all(reads)) GTEST_SKIP() << "no io_uring here";
    expect_contents(reads);
  }
}

TEST_F(BatchReader, EachReadHasItsOwnResult) {
  std::vector<std::byte> memory(3 * 100);
  std::vector<spi::ReadPart> reads = parts(3, memory);
  reads[1].offset = kFileBytes - 40;
  reads[2].offset = kFileBytes + 1;
  if (!read_all(reads)) GTEST_SKIP() << "no io_uring here";
  EXPECT_EQ(reads[0].result, 100);
  EXPECT_EQ(reads[1].result, 40);
  EXPECT_EQ(reads[2].result, 0);
  file_.reset(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_TRUE(read_all(reads));
  EXPECT_EQ(reads[0].result, -EISDIR);
}

TEST_F(BatchReader, ThreadsReadEachForThemselves) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      std::vector<std::byte> memory(500 * 100);
      std::vector<spi::ReadPart> reads = parts(500, memory);
      if (read_all(reads)) expect_contents(reads);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace gpuio::local
