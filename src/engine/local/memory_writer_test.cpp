// SPDX-License-Identifier: Apache-2.0
#include "engine/local/memory_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace gpuio::local {
namespace {

class MemoryWriterTest : public testing::Test {
 protected:
  std::vector<std::byte> contents() {
    std::vector<std::byte> bytes(static_cast<std::size_t>(::lseek(file_.get(), 0, SEEK_END)));
    EXPECT_EQ(::pread(file_.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    return bytes;
  }

  base::UniqueFd file_{::memfd_create("memory_writer_test", MFD_CLOEXEC)};
  MemoryWriter writer_;
};

TEST_F(MemoryWriterTest, AFileGrowsToTheEndOfWhatIsWrittenAndHolesAreZero) {
  const std::vector<std::byte> bytes(5000, std::byte{7});
  ASSERT_EQ(writer_.write(file_.get(), 10'001, bytes), 5000);
  const auto now = contents();
  ASSERT_EQ(now.size(), 15'001U);
  for (std::size_t i = 0; i < now.size(); ++i) ASSERT_EQ(now[i], i < 10'001 ? std::byte{0} : std::byte{7}) << i;
}

TEST_F(MemoryWriterTest, ManyThreadsWriteOneFileTogether) {
  constexpr std::size_t kPart = 300'007;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 8; ++i) {
    threads.emplace_back([this, i] {
      const std::vector<std::byte> bytes(kPart, static_cast<std::byte>(i + 1));
      for (std::size_t done = 0; done < kPart;) {
        const auto written = writer_.write(file_.get(), i * kPart + done, std::span(bytes).subspan(done));
        ASSERT_GT(written, 0);
        done += static_cast<std::size_t>(written);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto now = contents();
  ASSERT_EQ(now.size(), 8 * kPart);
  for (std::size_t i = 0; i < now.size(); ++i) ASSERT_EQ(now[i], static_cast<std::byte>(i / kPart + 1)) << i;
}

TEST_F(MemoryWriterTest, AfterTheFileWasCutTheCallerIsToldToWriteThroughIt) {
  const std::vector<std::byte> bytes(1 << 20, std::byte{1});
  ASSERT_EQ(writer_.write(file_.get(), 0, bytes), 1 << 20);
  ASSERT_EQ(::ftruncate(file_.get(), 100), 0);
  const std::span<const std::byte> same_page(bytes.data(), 50);
  EXPECT_EQ(writer_.write(file_.get(), 1000, same_page), -EOPNOTSUPP) << "the bytes would have been lost";
  ASSERT_EQ(writer_.write(file_.get(), 1000, same_page), 50) << "the length was looked at again";
  EXPECT_EQ(contents().size(), 1050U);
}

TEST_F(MemoryWriterTest, AFileThatMayNotGrowFailsAsTheSystemSays) {
  const base::UniqueFd sealed(::memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::fcntl(sealed.get(), F_ADD_SEALS, F_SEAL_GROW), 0);
  const std::vector<std::byte> bytes(10, std::byte{1});
  EXPECT_EQ(writer_.write(sealed.get(), 0, bytes), -EPERM);
}

TEST_F(MemoryWriterTest, AReadOnlyDescriptorCannotBeMapped) {
  const std::string path = "/proc/self/fd/" + std::to_string(file_.get());
  const base::UniqueFd reader(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const std::vector<std::byte> bytes(10, std::byte{1});
  EXPECT_EQ(writer_.write(reader.get(), 0, bytes), -EOPNOTSUPP);
}

}  // namespace
}  // namespace gpuio::local
