// SPDX-License-Identifier: Apache-2.0
#include "device/cuda/registrations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "device/cuda/device.h"

namespace gpuio::cuda {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::size_t kChunk = 65536;
constexpr int kRefused = 7;

/// A driver that keeps books of what it is asked for; one of a test at a time.
struct FakeDriver {
  std::vector<std::string> calls;
  std::map<std::byte*, std::size_t> registered;
  std::vector<spi::CopySegment> copied;
  int registrations_until_failure = -1;  // Counts down; at 0 it refuses, below never.
  int removals_until_failure = -1;
  gpuio_cuda_failure kind = GPUIO_CUDA_OTHER;

  static FakeDriver*& current() {
    static FakeDriver* driver = nullptr;
    return driver;
  }
  FakeDriver() { current() = this; }
  ~FakeDriver() { current() = nullptr; }
  FakeDriver(const FakeDriver&) = delete;
  FakeDriver& operator=(const FakeDriver&) = delete;

  int add(std::byte* base, std::size_t bytes) {
    calls.push_back("+" + std::to_string(bytes));
    if (registrations_until_failure-- == 0) return kRefused;
    registered[base] = bytes;
    return 0;
  }
  int remove(std::byte* base) {
    if (removals_until_failure-- == 0) return kRefused;
    calls.push_back("-" + std::to_string(registered.at(base)));
    registered.erase(base);
    return 0;
  }
};

gpuio_cuda_table make_table() {
  gpuio_cuda_table table{};
  table.error_name = [](int) { return "fakeErrorRefused"; };
  table.error_text = [](int) { return "the fake refuses"; };
  table.failure = [](int) { return FakeDriver::current()->kind; };
  table.open = [](int, gpuio_cuda_device**) { return 0; };
  table.close = [](gpuio_cuda_device*) {};
  table.info = [](gpuio_cuda_device*, gpuio_cuda_info* info) {
    info->host_numa_node = -1;
    return 0;
  };
  table.register_host = [](gpuio_cuda_device*, void* base, std::size_t bytes, int) {
    return FakeDriver::current()->add(static_cast<std::byte*>(base), bytes);
  };
  table.unregister_host = [](gpuio_cuda_device*, void* base) {
    return FakeDriver::current()->remove(static_cast<std::byte*>(base));
  };
  table.copy = [](gpuio_cuda_device*, void*, void** destinations, const void** sources, const std::size_t* bytes,
                  std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      FakeDriver::current()->copied.push_back(
          {static_cast<const std::byte*>(sources[i]), static_cast<std::byte*>(destinations[i]), bytes[i]});
    }
    return 0;
  };
  return table;
}

const gpuio_cuda_table kTable = make_table();

/// An address that nothing is stored at.
std::byte* at(std::uintptr_t address) { return reinterpret_cast<std::byte*>(address); }

class RegistrationsTest : public ::testing::Test {
 protected:
  [[nodiscard]] Status add(std::size_t bytes) {
    return registrations_.add(at(kBase), bytes, spi::RegisterMode::read_write);
  }

  static constexpr std::uintptr_t kBase = 1U << 30U;
  FakeDriver driver_;
  Registrations registrations_{kTable, nullptr, kChunk};
};

TEST_F(RegistrationsTest, ARangeOfOneChunkIsOneCall) {
  ASSERT_TRUE(add(kChunk).ok());
  EXPECT_FALSE(registrations_.chunked()) << "copies of it need no cutting";
  ASSERT_TRUE(registrations_.remove(at(kBase), kChunk).ok());
  EXPECT_THAT(driver_.calls, ElementsAre("+65536", "-65536"));
}

TEST_F(RegistrationsTest, ALargerOneIsChunksUndoneInReverse) {
  ASSERT_TRUE(add(2 * kChunk + 4096).ok());
  EXPECT_TRUE(registrations_.chunked());
  ASSERT_TRUE(registrations_.remove(at(kBase), 2 * kChunk + 4096).ok());
  EXPECT_FALSE(registrations_.chunked());
  EXPECT_THAT(driver_.calls, ElementsAre("+65536", "+65536", "+4096", "-4096", "-65536", "-65536"));
  EXPECT_THAT(driver_.registered, IsEmpty());
}

TEST_F(RegistrationsTest, WhatWasDoneBeforeAFailureIsUndoneInReverse) {
  driver_.registrations_until_failure = 2;
  driver_.kind = GPUIO_CUDA_OUT_OF_MEMORY;
  const Status status = add(4 * kChunk);
  EXPECT_EQ(status.code(), Code::out_of_memory);
  EXPECT_EQ(status.native(), kRefused);
  EXPECT_THAT(driver_.calls, ElementsAre("+65536", "+65536", "+65536", "-65536", "-65536"));
  EXPECT_THAT(driver_.registered, IsEmpty());
  EXPECT_FALSE(registrations_.chunked());
  EXPECT_EQ(registrations_.remove(at(kBase), 4 * kChunk).code(), Code::not_found);
}

TEST_F(RegistrationsTest, ARemovalThatStopsHalfwayGoesOnWhenAskedAgain) {
  ASSERT_TRUE(add(3 * kChunk).ok());
  driver_.removals_until_failure = 1;
  const Status status = registrations_.remove(at(kBase), 3 * kChunk);
  EXPECT_EQ(status.code(), Code::device_error);
  EXPECT_NE(status.to_string().find("still_registered_bytes=131072"), std::string::npos) << status.to_string();
  EXPECT_TRUE(registrations_.chunked());
  EXPECT_EQ(driver_.registered.size(), 2U);
  ASSERT_TRUE(registrations_.remove(at(kBase), 3 * kChunk).ok());
  EXPECT_THAT(driver_.registered, IsEmpty());
}

TEST_F(RegistrationsTest, CopiesAreCutWhereEitherSideEntersAnotherChunk) {
  constexpr std::uintptr_t kOther = 2U << 30U;
  ASSERT_TRUE(add(3 * kChunk).ok());
  ASSERT_TRUE(registrations_.add(at(kOther), 2 * kChunk, spi::RegisterMode::read_write).ok());
  const std::vector<spi::CopySegment> segments{{at(kBase + kChunk - 100), at(kOther + kChunk - 300), 1000},
                                               {at(kBase + kChunk), at(kOther), kChunk},
                                               {at(64), at(kBase + 5), 7}};
  std::vector<std::vector<std::uintptr_t>> pieces;
  for (const spi::CopySegment& piece : registrations_.cut(segments)) {
    pieces.push_back({reinterpret_cast<std::uintptr_t>(piece.source),
                      reinterpret_cast<std::uintptr_t>(piece.destination), piece.bytes});
  }
  EXPECT_THAT(pieces, ElementsAre(ElementsAre(kBase + kChunk - 100, kOther + kChunk - 300, 100),
                                  ElementsAre(kBase + kChunk, kOther + kChunk - 200, 200),
                                  ElementsAre(kBase + kChunk + 200, kOther + kChunk, 700),
                                  ElementsAre(kBase + kChunk, kOther, kChunk), ElementsAre(64, kBase + 5, 7)));
}

TEST(CudaPinned, ALargeAllocationIsRegisteredInChunksAndItsCopiesAreCut) {
  FakeDriver driver;
  const auto device = Device::open(kTable, 0, "cuda:0", kChunk).value();
  std::byte* memory = device->allocate(RegionKind::pinned, 3 * kChunk, {}).value();
  EXPECT_EQ(driver.registered.size(), 3U);
  int stream = 0;
  const spi::CopySegment all{memory, at(4096), 3 * kChunk};
  ASSERT_TRUE(device->copy(&stream, {&all, 1}).ok());
  EXPECT_EQ(driver.copied.size(), 3U);
  ASSERT_TRUE(device->free(RegionKind::pinned, memory, 3 * kChunk).ok());
  EXPECT_THAT(driver.registered, IsEmpty());
}

TEST(CudaPinned, MemoryThatTheDriverKeepsStaysAndCanBeFreedLater) {
  FakeDriver driver;
  const auto device = Device::open(kTable, 0, "cuda:0", kChunk).value();
  std::byte* memory = device->allocate(RegionKind::pinned, 4096, {}).value();
  driver.removals_until_failure = 0;
  EXPECT_EQ(device->free(RegionKind::pinned, memory, 4096).code(), Code::device_error);
  memory[0] = std::byte{1};  // It is still mapped.
  EXPECT_TRUE(device->free(RegionKind::pinned, memory, 4096).ok());
  EXPECT_EQ(device->free(RegionKind::pinned, memory, 4096).code(), Code::invalid_argument);
}

TEST(CudaPinned, MemoryThatCannotBeRegisteredGoesBack) {
  FakeDriver driver;
  driver.registrations_until_failure = 1;
  const auto device = Device::open(kTable, 0, "cuda:0", kChunk).value();
  const Status status = device->allocate(RegionKind::pinned, 2 * kChunk, {}).status();
  EXPECT_EQ(status.code(), Code::device_error);
  EXPECT_THAT(driver.registered, IsEmpty());
}

}  // namespace
}  // namespace gpuio::cuda
