// SPDX-License-Identifier: Apache-2.0
// A GPU's memory in two processes. tests/share does the same on a machine without one. The child starts first: a
// process that has touched CUDA can't be forked.
#include <gtest/gtest.h>

#include <cstring>
#include <optional>

#include "gpu_context.h"
#include "gpuio/gpuio.hpp"
#include "support/child_process.h"

namespace gpuio::tests {
namespace {

constexpr std::uint64_t kBytes = 4U << 20U;

/// A Context and GPU 0, if there is one.
struct Gpu {
  Gpu() {
    context.emplace(gpu_context());
    host.emplace(context->device("host").value());
    Result<Device> opened = context->device("cuda:0");
    if (opened) {
      device.emplace(*std::move(opened));
    } else {
      why_not = opened.error().to_string();
    }
  }

  /// Of `memory`, by a copy.
  [[nodiscard]] std::byte byte_at(const Buffer& memory, std::uint64_t offset) const {
    const Buffer one = host->allocate(1).value();
    throw_if_failed(context->copy(memory.slice(offset, 1).value(), one).value().wait());
    return one.data()[0];
  }

  void fill(const Slice& memory, std::byte value) const {
    const Buffer source = host->allocate(memory.size()).value();
    std::memset(source.data(), static_cast<int>(value), memory.size());
    throw_if_failed(context->copy(source, memory).value().wait());
  }

  std::optional<Context> context;
  std::optional<Device> host;
  std::optional<Device> device;
  std::string why_not;
};

TEST(ShareOnGpu, TwoProcessesUseTheSameDeviceMemory) {
  ChildProcess child([](int socket) {
    if (!await_turn(socket)) return 1;
    const Gpu gpu;
    if (!gpu.device) return 2;
    const Result<Buffer> received = receive_shared(*gpu.device, socket, {.access = MapAccess::read_write});
    if (!received || received->size() != kBytes / 2) return 3;
    if (gpu.byte_at(*received, 0) != std::byte{0x5a}) return 4;
    gpu.fill(*received, std::byte{0x6b});
    return pass_turn(socket) ? 0 : 5;
  });
  const Gpu gpu;
  if (!gpu.device) GTEST_SKIP() << gpu.why_not;
  ASSERT_TRUE(pass_turn(child.socket()));
  Buffer memory = gpu.device->allocate(kBytes).value();
  gpu.fill(memory, std::byte{0x5a});
  {
    // From the middle of an allocation: a handle is of all of it.
    const Result<Share> shared = share(child.socket(), memory.slice(kBytes / 2, kBytes / 2).value());
    ASSERT_TRUE(shared) << shared.error().to_string();
    EXPECT_EQ(memory.free().code(), Code::busy);
    ASSERT_TRUE(await_turn(child.socket()));
  }
  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(gpu.byte_at(memory, kBytes / 2 - 1), std::byte{0x5a});
  EXPECT_EQ(gpu.byte_at(memory, kBytes - 1), std::byte{0x6b});
  EXPECT_TRUE(memory.free().ok());
}

TEST(ShareOnGpu, HandleOfAProcessThatExitedIsStale) {
  ChildProcess child([](int socket) {
    if (!await_turn(socket)) return 1;
    const Gpu gpu;
    if (!gpu.device) return 2;
    const Buffer memory = gpu.device->allocate(kBytes).value();
    return share(socket, memory) ? 0 : 3;
  });
  const Gpu gpu;
  if (!gpu.device) GTEST_SKIP() << gpu.why_not;
  ASSERT_TRUE(pass_turn(child.socket()));
  ASSERT_EQ(child.wait(), 0);
  const Status gone = receive_shared(*gpu.device, child.socket(), {.access = MapAccess::read_write}).status();
  EXPECT_EQ(gone.code(), Code::stale) << gone.to_string();
}

TEST(ShareOnGpu, HandleThatThisProcessMadeItselfIsRefused) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const base::UniqueFd here(ends[0]);
  const base::UniqueFd there(ends[1]);
  const Gpu gpu;
  if (!gpu.device) GTEST_SKIP() << gpu.why_not;
  const Buffer memory = gpu.device->allocate(kBytes).value();
  const Result<Share> shared = share(here.get(), memory);
  ASSERT_TRUE(shared) << shared.error().to_string();
  EXPECT_FALSE(receive_shared(*gpu.device, there.get(), {.access = MapAccess::read_write}));
  gpu.fill(memory, std::byte{1});
  EXPECT_EQ(gpu.byte_at(memory, 9), std::byte{1}) << "the refusal left nothing broken";
}

TEST(ShareOnGpu, MappedMemoryIsUsedByTheGpuInPlace) {
  const Gpu gpu;
  if (!gpu.device) GTEST_SKIP() << gpu.why_not;
  const Store store = gpu.context->open("mem://dram", {.mode = OpenMode::create, .size_bytes = kBytes}).value();
  const Result<Buffer> mapped = gpu.context->map(
      store, {.access = MapAccess::read_write, .device = &*gpu.device, .device_access = DeviceAccess::required});
  ASSERT_TRUE(mapped) << mapped.error().to_string();
  std::memset(mapped->data(), 0x77, kBytes);
  const Buffer memory = gpu.device->allocate(kBytes).value();
  const Request copied = gpu.context->copy(*mapped, memory).value();
  ASSERT_TRUE(copied.wait().ok());
  EXPECT_EQ(copied.explain().find("slab"), std::string::npos) << copied.explain();
  EXPECT_EQ(gpu.byte_at(memory, kBytes - 1), std::byte{0x77});
}

}  // namespace
}  // namespace gpuio::tests
