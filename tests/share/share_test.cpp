// SPDX-License-Identifier: Apache-2.0
// Regions passed between two real processes. The child is started first; each side then makes a Context of its own. In
// the child nothing of GoogleTest runs: it returns 0 or the line that failed.
#include "gpuio/share.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>

#include "assembly/kernels/host_kernels.h"
#include "assembly/parts.h"
#include "core/context_state.h"
#include "core/mapping/share_message.h"
#include "device/host/driver.h"
#include "gpuio/gpuio.hpp"
#include "support/child_process.h"
#include "support/handle_device.h"

namespace gpuio::tests {
namespace {

constexpr std::uint64_t kBytes = 1U << 20U;

#define GPUIO_CHILD_EXPECT(condition) \
  if (!(condition)) return __LINE__ % 200 + 1

/// A Context with an accelerator that is none, and its devices.
struct Side {
  explicit Side(const std::string& bus_id = "0000:aa:00.0") {
    core::Parts parts = assembly::parts();
    parts.devices.push_back([&bus_id](const spi::EngineHost& given) -> std::unique_ptr<spi::DeviceDriver> {
      return std::make_unique<HandleDriver>(std::make_unique<host::Driver>(given.executor, 1, assembly::host_kernels()),
                                            bus_id);
    });
    context.emplace(core::ContextState::create({Settings(), Drive::threads}, std::move(parts)).value());
    host.emplace(context->device("host").value());
    accelerator.emplace(context->device("handle:0").value());
  }

  [[nodiscard]] Buffer memory(MapAccess access = MapAccess::read_write) const {
    const Store store = context->open("mem://dram", {.mode = OpenMode::create, .size_bytes = kBytes}).value();
    return context->map(store, {.access = access}).value();
  }

  std::optional<Context> context;
  std::optional<Device> host;
  std::optional<Device> accelerator;
};

TEST(Share, TwoProcessesUseTheSameMemory) {
  ChildProcess child([](int socket) {
    const Side side;
    Result<Buffer> received = receive_shared(*side.host, socket, {.access = MapAccess::read_write});
    GPUIO_CHILD_EXPECT(received);
    GPUIO_CHILD_EXPECT(received->size() == 5000 && received->kind() == RegionKind::shared);
    GPUIO_CHILD_EXPECT(received->data()[10] == std::byte{42});
    received->data()[11] = std::byte{43};
    GPUIO_CHILD_EXPECT(received->check().ok());
    GPUIO_CHILD_EXPECT(pass_turn(socket));
    return 0;
  });
  const Side side;
  const Buffer memory = side.memory();
  memory.data()[4096 + 10] = std::byte{42};
  const Share shared = share(child.socket(), memory.slice(4096, 5000).value()).value();
  EXPECT_TRUE(shared);
  EXPECT_EQ(shared.peer(), ::getpid()) << "who made the pair of sockets";
  ASSERT_TRUE(await_turn(child.socket()));
  EXPECT_EQ(memory.data()[4096 + 11], std::byte{43});
  EXPECT_EQ(child.wait(), 0);
}

TEST(Share, ReceivedRegionGoesWhereverASliceDoes) {
  ChildProcess child([](int socket) {
    const Side side;
    const Buffer received = receive_shared(*side.accelerator, socket, {.access = MapAccess::read_write}).value();
    const Buffer far = side.accelerator->allocate(kBytes).value();
    GPUIO_CHILD_EXPECT(side.context->copy(received, far).value().wait().ok());
    std::memset(received.data(), 0, kBytes);
    GPUIO_CHILD_EXPECT(side.context->copy(far, received).value().wait().ok());
    GPUIO_CHILD_EXPECT(pass_turn(socket));
    return 0;
  });
  const Side side;
  const Buffer memory = side.memory();
  for (std::uint64_t i = 0; i < kBytes; ++i) memory.data()[i] = static_cast<std::byte>(i % 251);
  const Share shared = share(child.socket(), memory).value();
  ASSERT_TRUE(await_turn(child.socket()));
  for (std::uint64_t i = 0; i < kBytes; ++i) ASSERT_EQ(memory.data()[i], static_cast<std::byte>(i % 251)) << i;
  EXPECT_EQ(child.wait(), 0);
}

TEST(Share, SharedForReadingItIsForReadingWhateverTheOtherDoes) {
  ChildProcess child([](int socket) {
    const Side side;
    GPUIO_CHILD_EXPECT(receive_shared(*side.host, socket, {.access = MapAccess::read_write}).status().code() ==
                       Code::permission_denied);
    // Past the library, the descriptor itself allows no more.
    const Result<core::ReceivedShare> raw = core::receive_share(socket);
    GPUIO_CHILD_EXPECT(raw);
    GPUIO_CHILD_EXPECT((::fcntl(raw->descriptor.get(), F_GETFL) & O_ACCMODE) == O_RDONLY);
    GPUIO_CHILD_EXPECT(::mmap(nullptr, kBytes, PROT_WRITE, MAP_SHARED, raw->descriptor.get(), 0) == MAP_FAILED);
    const Result<Buffer> received = receive_shared(*side.host, socket);
    GPUIO_CHILD_EXPECT(received && received->data()[0] == std::byte{1});
    return 0;
  });
  const Side side;
  const Buffer memory = side.memory();
  memory.data()[0] = std::byte{1};
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(share(child.socket(), memory, {.access = MapAccess::read}));
  EXPECT_EQ(child.wait(), 0);
}

TEST(Share, WhatIsMappedForReadingIsNotSharedForWriting) {
  ChildProcess child([](int socket) { return await_turn(socket) ? 0 : 1; });
  const Side side;
  const Buffer memory = side.memory(MapAccess::read);
  EXPECT_EQ(share(child.socket(), memory).error().code(), Code::permission_denied);
  ASSERT_TRUE(pass_turn(child.socket()));
  EXPECT_EQ(child.wait(), 0) << "nothing was sent";
}

TEST(Share, AcceleratorsMemoryTravelsAsAHandleAndStaysPinned) {
  ChildProcess child([](int socket) {
    const Side side;
    const Result<Buffer> received = receive_shared(*side.accelerator, socket, {.access = MapAccess::read_write});
    GPUIO_CHILD_EXPECT(received && received->kind() == RegionKind::device && received->size() == 1000);
    const Buffer host = side.host->allocate(1000).value();
    GPUIO_CHILD_EXPECT(side.context->copy(*received, host).value().wait().ok());
    GPUIO_CHILD_EXPECT(host.data()[999] == std::byte{0x5a});
    std::memset(host.data(), 0x6b, 1000);
    GPUIO_CHILD_EXPECT(side.context->copy(host, *received).value().wait().ok());
    GPUIO_CHILD_EXPECT(pass_turn(socket));
    return 0;
  });
  const Side side;
  Buffer far = side.accelerator->allocate(kBytes).value();
  std::memset(far.data(), 0x5a, kBytes);  // the accelerator's memory is the host's, in truth
  {
    const Share shared = share(child.socket(), far.slice(2000, 1000).value()).value();
    EXPECT_EQ(far.free().code(), Code::busy);
    ASSERT_TRUE(await_turn(child.socket()));
  }
  EXPECT_EQ(far.data()[2000], std::byte{0x6b});
  EXPECT_EQ(far.data()[3000], std::byte{0x5a});
  EXPECT_TRUE(far.free().ok());
  EXPECT_EQ(child.wait(), 0);
}

TEST(Share, HandleOfAProcessThatExitedIsStale) {
  ChildProcess child([](int socket) {
    const Side side;
    const Buffer far = side.accelerator->allocate(kBytes).value();
    const Buffer memory = side.memory();
    memory.data()[7] = std::byte{77};
    GPUIO_CHILD_EXPECT(share(socket, far));
    GPUIO_CHILD_EXPECT(share(socket, memory));
    return 0;
  });
  ASSERT_EQ(child.wait(), 0);
  const Side side;
  const Status gone = receive_shared(*side.accelerator, child.socket(), {.access = MapAccess::read_write}).status();
  EXPECT_EQ(gone.code(), Code::stale) << gone.to_string();
  EXPECT_EQ(gone.scope(), FailureScope::peer);
  const Buffer memory = receive_shared(*side.host, child.socket()).value();
  EXPECT_EQ(memory.data()[7], std::byte{77}) << "what has a descriptor outlives its maker";
  EXPECT_EQ(receive_shared(*side.host, child.socket()).status().code(), Code::closed);
}

TEST(Share, MemoryWhoseProcessExitsLaterIsStaleFromThenOn) {
  ChildProcess child([](int socket) {
    const Side side;
    const Buffer far = side.accelerator->allocate(kBytes).value();
    const Result<Share> shared = share(socket, far);
    GPUIO_CHILD_EXPECT(shared);
    return await_turn(socket) ? 0 : 1;
  });
  const Side side;
  const Buffer received = receive_shared(*side.accelerator, child.socket(), {.access = MapAccess::read_write}).value();
  EXPECT_TRUE(received.check().ok());
  ASSERT_TRUE(pass_turn(child.socket()));
  ASSERT_EQ(child.wait(), 0);
  EXPECT_EQ(received.check().code(), Code::stale);
  const Buffer host = side.host->allocate(kBytes).value();
  EXPECT_EQ(side.context->copy(received, host).value().wait().code(), Code::stale) << "never a byte of nobody's";
}

TEST(Share, AnotherAcceleratorsMemoryIsRefused) {
  ChildProcess child([](int socket) {
    const Side side("0000:bb:00.0");
    GPUIO_CHILD_EXPECT(share(socket, side.accelerator->allocate(kBytes).value()));
    return 0;
  });
  const Side side("0000:aa:00.0");
  const Status other = receive_shared(*side.accelerator, child.socket(), {.access = MapAccess::read_write}).status();
  EXPECT_EQ(other.code(), Code::invalid_argument) << other.to_string();
  EXPECT_NE(other.to_string().find("bb:00.0"), std::string::npos) << other.to_string();
}

TEST(Share, MemoryThatIsThisProcessesOwnIsRefusedWithWhatCouldBeShared) {
  ChildProcess child([](int socket) { return await_turn(socket) ? 1 : 0; });
  const Side side;
  const Status own = share(child.socket(), side.host->allocate(kBytes).value()).status();
  EXPECT_EQ(own.code(), Code::unsupported);
  EXPECT_NE(own.to_string().find("mem://"), std::string::npos) << own.to_string();
  const Buffer far = side.accelerator->allocate(kBytes).value();
  EXPECT_EQ(share(child.socket(), far, {.access = MapAccess::read}).error().code(), Code::unsupported);
  EXPECT_EQ(share(child.socket(), Slice()).error().code(), Code::closed);
}

TEST(Share, MemoryThatItsOwnerCutsIsEndOfFileHereToo) {
  ChildProcess child([](int socket) {
    const Side side;
    const Store store = side.context->open("mem://dram", {.mode = OpenMode::create, .size_bytes = kBytes}).value();
    const Buffer memory = side.context->map(store, {.access = MapAccess::read_write}).value();
    GPUIO_CHILD_EXPECT(share(socket, memory));
    GPUIO_CHILD_EXPECT(await_turn(socket));
    GPUIO_CHILD_EXPECT(store.truncate(4096).ok());
    GPUIO_CHILD_EXPECT(pass_turn(socket));
    return 0;
  });
  const Side side;
  const Buffer received = receive_shared(*side.host, child.socket()).value();
  ASSERT_TRUE(pass_turn(child.socket()));
  ASSERT_TRUE(await_turn(child.socket()));
  EXPECT_EQ(received.data()[8192], std::byte{0});
  EXPECT_EQ(received.check().code(), Code::end_of_file);
  EXPECT_EQ(child.wait(), 0);
}

TEST(Share, WhatIsNoRegionIsCorrupt) {
  ChildProcess child([](int socket) {
    const std::string garbage(sizeof(core::ShareMessage), 'x');
    GPUIO_CHILD_EXPECT(::send(socket, garbage.data(), garbage.size(), MSG_NOSIGNAL) ==
                       static_cast<ssize_t>(garbage.size()));
    core::ShareMessage message;
    message.length = 4096;
    GPUIO_CHILD_EXPECT(core::send_share(socket, message, -1).ok());  // no descriptor
    const base::UniqueFd file(::memfd_create("short", MFD_CLOEXEC));
    GPUIO_CHILD_EXPECT(core::send_share(socket, message, file.get()).ok());  // shorter than it claims
    message.version = 7;
    GPUIO_CHILD_EXPECT(core::send_share(socket, message, file.get()).ok());
    GPUIO_CHILD_EXPECT(::send(socket, garbage.data(), 10, MSG_NOSIGNAL) == 10);
    return 0;
  });
  const Side side;
  for (const Code code : {Code::corrupt, Code::corrupt, Code::corrupt, Code::unsupported}) {
    const Status status = receive_shared(*side.host, child.socket()).status();
    EXPECT_EQ(status.code(), code) << status.to_string();
  }
  ASSERT_EQ(child.wait(), 0);
  EXPECT_EQ(receive_shared(*side.host, child.socket()).status().code(), Code::corrupt) << "the message breaks off";
}

TEST(Share, DescriptorsThatNobodyAskedForAreClosed) {
  ChildProcess child([](int socket) {
    core::ShareMessage message;
    message.kind = core::ShareMessage::Kind::device;
    message.length = 1;
    const base::UniqueFd file(::memfd_create("extra", MFD_CLOEXEC));
    return core::send_share(socket, message, file.get()).ok() ? 0 : 1;
  });
  const Side side;
  EXPECT_EQ(receive_shared(*side.host, child.socket()).status().code(), Code::corrupt);
  for (const auto& open : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // the iterator's own
    const std::string file = std::filesystem::read_symlink(open.path(), gone).string();
    EXPECT_EQ(file.find("memfd:extra"), std::string::npos) << open.path();
  }
}

TEST(Share, NeedsAConnectedUnixSocket) {
  const Side side;
  const base::UniqueFd file(::memfd_create("file", MFD_CLOEXEC));
  const base::UniqueFd datagrams(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const base::UniqueFd internet(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Buffer memory = side.memory();
  for (const int socket : {-1, file.get(), datagrams.get(), internet.get()}) {
    EXPECT_EQ(receive_shared(*side.host, socket).status().code(), Code::invalid_argument) << socket;
    EXPECT_EQ(share(socket, memory).status().code(), Code::invalid_argument) << socket;
  }
}

TEST(Share, SocketThatDoesNotBlockSaysThatNothingIsThere) {
  ChildProcess child([](int socket) { return await_turn(socket) ? 1 : 0; });
  const Side side;
  ASSERT_EQ(::fcntl(child.socket(), F_SETFL, O_NONBLOCK), 0);
  const Status nothing = receive_shared(*side.host, child.socket()).status();
  EXPECT_EQ(nothing.code(), Code::would_block);
  EXPECT_TRUE(nothing.retryable());
}

/// A child of another user that connects to a socket of ours, as SO_PEERCRED is of who connected.
TEST(Share, ProcessOfAnotherUserIsRefusedUnlessItIsWanted) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can start a process of another user";
  constexpr uid_t kNobody = 65534;
  const std::string name = "gpuio-share-test-" + std::to_string(::getpid());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  const auto address_bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const base::UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), address_bytes), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  ChildProcess child([&](int turns) {
    GPUIO_CHILD_EXPECT(::setgid(kNobody) == 0 && ::setuid(kNobody) == 0);
    const base::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    GPUIO_CHILD_EXPECT(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), address_bytes) == 0);
    return await_turn(turns) ? 0 : 1;
  });
  const base::UniqueFd socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const Side side;
  const Buffer memory = side.memory();
  const Status refused = share(socket.get(), memory).status();
  EXPECT_EQ(refused.code(), Code::permission_denied);
  EXPECT_NE(refused.to_string().find("65534"), std::string::npos) << refused.to_string();
  EXPECT_EQ(receive_shared(*side.host, socket.get()).status().code(), Code::permission_denied);
  EXPECT_TRUE(share(socket.get(), memory, {.any_user = true}));
  ASSERT_TRUE(pass_turn(child.socket()));
  EXPECT_EQ(child.wait(), 0);
}

}  // namespace
}  // namespace gpuio::tests
