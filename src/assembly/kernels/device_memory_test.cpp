// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "assembly/kernels/device_test.h"
#include "base/scope_exit.h"

// Devices: what they are, their memory, and copies.
namespace gpuio::assembly {
namespace {

class DeviceMemory : public DeviceTest {};

constexpr RegionKind kKinds[] = {RegionKind::device, RegionKind::pinned, RegionKind::mapped};

TEST_F(DeviceMemory, SaysWhatTheDeviceIs) {
  EXPECT_EQ(device().info().name, driver().name(0));
  EXPECT_FALSE(device().info().model.empty());
  const MemoryUse use = device().memory_use().value();
  EXPECT_GT(use.free_bytes, 0U);
  EXPECT_LE(use.free_bytes, use.total_bytes);
  // A driver may keep some of the memory that the hardware has.
  const auto memory_bytes = static_cast<double>(device().info().memory_bytes);
  EXPECT_NEAR(static_cast<double>(use.total_bytes), memory_bytes, memory_bytes / 20);
}

TEST_F(DeviceMemory, EveryMissingAbilityHasAReason) {
  for (auto ability = Ability::host_load_store; ability <= Ability::trace_ranges;
       ability = static_cast<Ability>(static_cast<int>(ability) + 1)) {
    const Capability answer = device().capability(ability);
    EXPECT_TRUE(answer.available || answer.reason.size() > 10) << "ability " << static_cast<int>(ability);
  }
}

TEST_F(DeviceMemory, OrdinalsThatDoNotExistAreNotFound) {
  const int count = driver().count().value();
  EXPECT_EQ(driver().open(count).status().code(), Code::not_found);
  EXPECT_EQ(driver().open(-1).status().code(), Code::not_found);
}

TEST_F(DeviceMemory, EveryKindIsAlignedAndCarriesBytes) {
  for (const RegionKind kind : kKinds) {
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{4097}, (std::size_t{4} << 20) + 1}) {
      std::byte* memory = allocate(bytes, kind);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % 256, 0U);
      const auto sent = random_bytes(bytes);
      upload(memory, sent);
      EXPECT_EQ(download(memory, bytes), sent) << "kind " << static_cast<int>(kind) << " bytes " << bytes;
    }
  }
}

TEST_F(DeviceMemory, HostCodeReadsWhatWasCopiedToHostKinds) {
  for (const RegionKind kind : {RegionKind::pinned, RegionKind::mapped}) {
    std::byte* memory = allocate(10'000, kind);
    const auto sent = random_bytes(10'000);
    upload(memory, sent);
    EXPECT_TRUE(std::equal(sent.begin(), sent.end(), memory));
  }
}

TEST_F(DeviceMemory, ImpossibleAllocationsAreRefused) {
  for (const RegionKind kind : kKinds) {
    EXPECT_EQ(device().allocate(kind, 0, {}).status().code(), Code::invalid_argument);
    const Code huge = device().allocate(kind, std::size_t{1} << 60, {}).status().code();
    EXPECT_TRUE(huge == Code::out_of_memory || huge == Code::resource_exhausted) << to_string(huge);
  }
  EXPECT_EQ(device().allocate(RegionKind::user, 64, {}).status().code(), Code::invalid_argument);
  EXPECT_FALSE(device().allocate(RegionKind::pinned, 64, Placement::bind({999})));
}

TEST_F(DeviceMemory, MemoryOfOthersCannotBeFreed) {
  std::vector<std::byte> foreign(256);
  for (const RegionKind kind : kKinds) EXPECT_FALSE(device().free(kind, foreign.data(), foreign.size()).ok());
  EXPECT_EQ(download(allocate(16), 16).size(), 16U) << "the next call works";
}

TEST_F(DeviceMemory, CopiesAnySizeFromAnywhereToAnywhere) {
  constexpr std::size_t kSpan = (std::size_t{9} << 20) + 77;
  std::byte* pinned = allocate(kSpan, RegionKind::pinned);
  std::byte* memory = allocate(kSpan);
  std::byte* back = allocate(kSpan, RegionKind::pinned);
  const auto sent = random_bytes(kSpan);
  std::copy(sent.begin(), sent.end(), pinned);
  const spi::StreamHandle queue = stream();
  for (std::size_t bytes = 1; bytes < kSpan; bytes = bytes * 3 + random_.uniform(5)) {
    const std::size_t from = random_.uniform(kSpan - bytes);
    const std::size_t at = random_.uniform(kSpan - bytes);
    const spi::CopySegment to_device{pinned + from, memory + at, bytes};
    const spi::CopySegment to_host{memory + at, back + from, bytes};
    expect_ok(device().copy(queue, {&to_device, 1}));
    expect_ok(device().copy(queue, {&to_host, 1}));
    expect_ok(device().synchronize(queue));
    EXPECT_EQ(std::memcmp(back + from, pinned + from, bytes), 0) << bytes << " bytes";
  }
}

TEST_F(DeviceMemory, OneCallCopiesThousandsOfSegments) {
  constexpr std::size_t kCount = 3000;
  constexpr std::size_t kSlot = 1024;
  std::byte* source = allocate(kCount * kSlot);
  std::byte* destination = allocate(kCount * kSlot);
  const auto sent = random_bytes(kCount * kSlot);
  std::vector<std::byte> expected(kCount * kSlot);
  upload(source, sent);
  upload(destination, expected);
  std::vector<spi::CopySegment> segments;
  for (std::size_t i = 0; i < kCount; ++i) {
    const std::size_t bytes = random_.uniform(kSlot + 1);  // Zero included.
    const std::size_t from = (kCount - 1 - i) * kSlot;
    segments.push_back({source + from, destination + i * kSlot, bytes});
    std::copy_n(sent.begin() + static_cast<std::ptrdiff_t>(from), bytes,
                expected.begin() + static_cast<std::ptrdiff_t>(i * kSlot));
  }
  const spi::StreamHandle queue = stream();
  expect_ok(device().copy(queue, segments));
  segments.clear();
  segments.shrink_to_fit();  // "The list may be freed on return."
  expect_ok(device().synchronize(queue));
  EXPECT_EQ(download(destination, kCount * kSlot), expected);
}

TEST_F(DeviceMemory, AnEmptyCopyIsNoWork) {
  const spi::StreamHandle queue = stream();
  expect_ok(device().copy(queue, {}));
  const spi::CopySegment nothing{};
  expect_ok(device().copy(queue, {&nothing, 1}));
  expect_ok(device().synchronize(queue));
}

TEST_F(DeviceMemory, LargeFillsAndCopiesAreWhole) {
  constexpr std::size_t kBytes = (std::size_t{64} << 20) + 13;
  std::byte* memory = allocate(kBytes);
  std::byte* copy = allocate(kBytes);
  const spi::StreamHandle queue = stream();
  expect_ok(device().fill(queue, memory, std::byte{0xa5}, kBytes));
  const spi::CopySegment all{memory, copy, kBytes};
  expect_ok(device().copy(queue, {&all, 1}));
  expect_ok(device().synchronize(queue));
  const auto bytes = download(copy, kBytes);
  EXPECT_EQ(std::count(bytes.begin(), bytes.end(), std::byte{0xa5}), static_cast<std::ptrdiff_t>(kBytes));
}

TEST_F(DeviceMemory, RegisteredMemoryIsCopiedAndOverlapsAreRefused) {
  constexpr std::size_t kBytes = 1 << 20;
  void* mapped = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(mapped, MAP_FAILED);
  auto* pages = static_cast<std::byte*>(mapped);
  const base::ScopeExit unmap([&] { munmap(mapped, kBytes); });
  const auto sent = random_bytes(kBytes);
  std::copy(sent.begin(), sent.end(), pages);

  expect_ok(device().register_memory(pages, kBytes, spi::RegisterMode::read_write));
  EXPECT_EQ(device().register_memory(pages + kBytes / 2, 4096, spi::RegisterMode::read_write).code(),
            Code::already_exists);
  std::byte* memory = allocate(kBytes);
  upload(memory, {pages, kBytes});
  EXPECT_EQ(download(memory, kBytes), sent);
  expect_ok(device().unregister_memory(pages, kBytes));
  EXPECT_EQ(device().unregister_memory(pages, kBytes).code(), Code::not_found);
  EXPECT_EQ(device().register_memory(pages + 1, 4096, spi::RegisterMode::read_write).code(), Code::invalid_argument);
}

TEST_F(DeviceMemory, AFilesOwnPagesAreRegisteredReadOnlyWhereTheDeviceSaysSo) {
  constexpr std::size_t kBytes = 1 << 20;
  const int file = memfd_create("pages", 0);
  ASSERT_GE(file, 0);
  const base::ScopeExit close_file([&] { close(file); });
  const auto sent = random_bytes(kBytes);
  ASSERT_EQ(write(file, sent.data(), kBytes), static_cast<ssize_t>(kBytes));
  void* mapped = mmap(nullptr, kBytes, PROT_READ, MAP_SHARED, file, 0);
  ASSERT_NE(mapped, MAP_FAILED);
  const base::ScopeExit unmap([&] { munmap(mapped, kBytes); });
  auto* pages = static_cast<std::byte*>(mapped);
  const Status status = device().register_memory(pages, kBytes, spi::RegisterMode::read_only);
  ASSERT_EQ(status.ok(), device().capability(Ability::register_read_only).available) << status.to_string();
  if (!status.ok()) return;
  std::byte* memory = allocate(kBytes);
  upload(memory, {pages, kBytes});
  EXPECT_EQ(download(memory, kBytes), sent);
  expect_ok(device().unregister_memory(pages, kBytes));
}

TEST_F(DeviceMemory, DmabufExportDoesWhatTheCapabilitySays) {
  constexpr std::size_t kBytes = std::size_t{2} << 20;
  const auto exported = device().export_dmabuf(allocate(kBytes), kBytes);
  ASSERT_EQ(exported.has_value(), device().capability(Ability::dmabuf_export).available)
      << exported.status().to_string();
  if (exported) {
    EXPECT_EQ(close(*exported), 0);
  } else {
    EXPECT_EQ(exported.error().code(), Code::unsupported);
  }
}

TEST_F(DeviceMemory, SixteenDevicesExchangeBytesAtOnce) {
  const int count = std::min(16, driver().count().value());
  constexpr std::size_t kBytes = (std::size_t{1} << 20) + 5;
  struct Member {
    std::unique_ptr<spi::Device> device;
    spi::StreamHandle stream;
    std::byte* own;
    std::byte* received;
    std::vector<std::byte> sent;
  };
  std::vector<Member> members;
  for (int i = 0; i < count; ++i) {
    auto opened = driver().open(i).value();
    EXPECT_EQ(opened->info().name, driver().name(i));
    const spi::StreamHandle queue = opened->create_stream().value();
    std::byte* own = opened->allocate(RegionKind::device, kBytes, {}).value();
    std::byte* received = opened->allocate(RegionKind::device, kBytes, {}).value();
    members.push_back({std::move(opened), queue, own, received, random_bytes(kBytes)});
  }
  for (Member& member : members) {
    const spi::CopySegment segment{member.sent.data(), member.own, kBytes};
    expect_ok(member.device->copy(member.stream, {&segment, 1}));
  }
  for (Member& member : members) expect_ok(member.device->synchronize(member.stream));
  for (std::size_t i = 0; i < members.size(); ++i) {
    const spi::CopySegment segment{members[(i + 1) % members.size()].own, members[i].received, kBytes};
    expect_ok(members[i].device->copy(members[i].stream, {&segment, 1}));
  }
  for (std::size_t i = 0; i < members.size(); ++i) {
    Member& member = members[i];
    std::vector<std::byte> got(kBytes);
    const spi::CopySegment segment{member.received, got.data(), kBytes};
    expect_ok(member.device->copy(member.stream, {&segment, 1}));
    expect_ok(member.device->synchronize(member.stream));
    EXPECT_EQ(got, members[(i + 1) % members.size()].sent);
  }
  for (Member& member : members) {
    expect_ok(member.device->destroy_stream(member.stream));
    expect_ok(member.device->free(RegionKind::device, member.own, kBytes));
    expect_ok(member.device->free(RegionKind::device, member.received, kBytes));
  }
}

}  // namespace
}  // namespace gpuio::assembly
