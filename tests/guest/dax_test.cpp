// SPDX-License-Identifier: Apache-2.0
// CXL memory as a dax device of the kernel's own driver, through the public API: `cxl:///dev/dax0.0`.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "gpuio/context.hpp"
#include "gpuio/map.hpp"
#include "guest/environment.h"

namespace gpuio::guest {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMiB = 1U << 20U;
// Emulated, each load and store takes a microsecond: what is moved is kept small.
constexpr std::uint64_t kUsedBytes = 2 * kMiB;
constexpr auto kLimit = 300s;

class Dax : public testing::Test {
 protected:
  [[nodiscard]] static std::string uri() { return text_of("GPUIO_GUEST_MEMORY"); }
  [[nodiscard]] Store open(OpenMode mode = OpenMode::write) const {
    return context_.open(uri(), {.mode = mode}).value();
  }
  [[nodiscard]] Buffer allocate(std::uint64_t bytes) const { return host_.allocate(bytes).value(); }

  Context context_ = Context::create().value();
  Device host_ = context_.device("host").value();
};

std::vector<std::byte> random_bytes(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

TEST_F(Dax, IsAStoreOfTheTierCxlAndOfTheDevicesSize) {
  const Store store = open();
  EXPECT_EQ(store.engine(), "mem");
  EXPECT_EQ(store.tier(), "cxl");
  EXPECT_EQ(store.size(), static_cast<std::uint64_t>(number_of("GPUIO_GUEST_MEMORY_MIB")) * kMiB);
  std::printf("fact: %s: %s\n", uri().c_str(), store.explain().c_str());
}

TEST_F(Dax, KeepsRandomWritesAsAPlainArrayDoes) {
  const Store store = open();
  std::mt19937_64 random(7);
  std::vector<std::byte> model = random_bytes(1, kUsedBytes);
  const Buffer buffer = allocate(kUsedBytes);
  std::memcpy(buffer.data(), model.data(), kUsedBytes);
  throw_if_failed(context_.write(store, Layout::contiguous(0, kUsedBytes), buffer).value().wait(kLimit));
  for (int step = 0; step < 200; ++step) {
    const std::uint64_t offset = random() % kUsedBytes;
    const std::uint64_t length = 1 + random() % std::min<std::uint64_t>(kUsedBytes - offset, 20'000);
    const Slice part = buffer.slice(0, length).value();
    const Layout extent = Layout::contiguous(offset, length);
    if (random() % 2 == 0) {
      const std::vector<std::byte> written = random_bytes(random(), length);
      std::memcpy(part.data(), written.data(), length);
      std::memcpy(model.data() + offset, written.data(), length);
      throw_if_failed(context_.write(store, extent, part).value().wait(kLimit));
    } else {
      throw_if_failed(context_.read(store, extent, part).value().wait(kLimit));
      ASSERT_EQ(std::memcmp(part.data(), model.data() + offset, length), 0) << offset << "+" << length;
    }
  }
}

TEST_F(Dax, AMappingAndTransfersAreOfTheSameBytes) {
  const Store store = open();
  const Buffer mapped = context_.map(store, {.access = MapAccess::read_write}).value();
  EXPECT_EQ(mapped.kind(), RegionKind::shared);
  EXPECT_EQ(mapped.size(), store.size());
  const std::vector<std::byte> bytes = random_bytes(2, 64'001);
  std::memcpy(mapped.data() + 12'345, bytes.data(), bytes.size());
  const Buffer read = allocate(bytes.size());
  throw_if_failed(context_.read(store, Layout::contiguous(12'345, bytes.size()), read).value().wait(kLimit));
  EXPECT_EQ(std::memcmp(read.data(), bytes.data(), bytes.size()), 0);
  std::memset(read.data(), 0x5a, read.size());
  throw_if_failed(context_.write(store, Layout::contiguous(12'345, bytes.size()), read).value().wait(kLimit));
  EXPECT_EQ(std::memcmp(mapped.data() + 12'345, read.data(), read.size()), 0);
}

TEST_F(Dax, BytesOutliveTheContextThatWroteThem) {
  const std::vector<std::byte> bytes = random_bytes(3, 10'000);
  const Buffer source = allocate(bytes.size());
  std::memcpy(source.data(), bytes.data(), bytes.size());
  {
    const Context other = Context::create().value();
    const Store store = other.open(uri(), {.mode = OpenMode::write}).value();
    const Buffer mapped = other.map(store, {.access = MapAccess::read_write}).value();
    std::memcpy(mapped.data() + kMiB, bytes.data(), bytes.size());
    throw_if_failed(store.flush());
  }
  const Buffer mapped = context_.map(open(OpenMode::read), {.length = 2 * kMiB}).value();
  EXPECT_EQ(std::memcmp(mapped.data() + kMiB, bytes.data(), bytes.size()), 0);
}

TEST_F(Dax, AnotherProcessSeesWhatThisOneStores) {
  const Buffer mapped = context_.map(open(), {.access = MapAccess::read_write}).value();
  const std::vector<std::byte> bytes = random_bytes(5, 4'096);
  std::memcpy(mapped.data(), bytes.data(), bytes.size());
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // Only what is allowed after a fork of a process with threads: loads, stores, _exit.
    if (std::memcmp(mapped.data(), bytes.data(), bytes.size()) != 0) _exit(1);
    mapped.data()[0] = ~bytes[0];
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(mapped.data()[0], ~bytes[0]);
}

TEST_F(Dax, AMappingThatIsNotOfWholeDevicePagesIsRefused) {
  const Store store = open();
  for (const std::uint64_t offset : {std::uint64_t{1}, std::uint64_t{4'096}, kMiB}) {
    const Result<Buffer> mapped = context_.map(store, {.offset = offset, .length = 2 * kMiB});
    EXPECT_EQ(mapped.status().code(), Code::invalid_argument) << offset << ": " << mapped.status().to_string();
  }
  EXPECT_TRUE(context_.map(store, {.offset = 2 * kMiB, .length = 2 * kMiB}).has_value());
}

TEST_F(Dax, NothingIsReadWrittenOrMappedPastTheEnd) {
  const Store store = open();
  const Buffer buffer = allocate(4'096);
  const Layout past = Layout::contiguous(store.size() - 4'095, 4'096);
  EXPECT_EQ(context_.read(store, past, buffer).status().code(), Code::out_of_range);
  const Result<Request> written = context_.write(store, past, buffer);
  EXPECT_FALSE(written.has_value() && written->wait(kLimit).ok());
  EXPECT_EQ(context_.map(store, {.offset = store.size(), .length = 2 * kMiB}).status().code(), Code::out_of_range);
  EXPECT_EQ(context_.map(store, {.length = store.size() + 2 * kMiB}).status().code(), Code::out_of_range);
  EXPECT_EQ(store.size(), static_cast<std::uint64_t>(number_of("GPUIO_GUEST_MEMORY_MIB")) * kMiB);
}

}  // namespace
}  // namespace gpuio::guest
