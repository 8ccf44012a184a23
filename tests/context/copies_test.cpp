// SPDX-License-Identifier: Apache-2.0
// Copies of Layouts and fills: what they refuse, how they travel, how they fail. Their bytes are the oracle's.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "assembly/kernels/host_kernels.h"
#include "base/random.h"
#include "base/unique_fd.h"
#include "core/spi/forwarding_device.h"
#include "device/host/driver.h"
#include "support/fake_context.h"
#include "support/wrapping_driver.h"

namespace gpuio::tests {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kBytes = 4U << 20U;

/// The host device posing as an accelerator whose kernels can be made to fail.
class Accelerator final : public spi::ForwardingDevice {
 public:
  Accelerator(std::unique_ptr<spi::Device> inner, std::shared_ptr<std::atomic<bool>> broken)
      : ForwardingDevice(std::move(inner)), broken_(std::move(broken)) {}
  bool memory_is_host() const noexcept override { return false; }
  Status launch(spi::StreamHandle stream, spi::KernelId kernel, const void* arguments) override {
    if (*broken_) return Status(Code::device_error, "planted");
    return inner_->launch(stream, kernel, arguments);
  }

 private:
  const std::shared_ptr<std::atomic<bool>> broken_;
};

using AcceleratorDriver = WrappingDriver<Accelerator, std::shared_ptr<std::atomic<bool>>>;

std::vector<std::uint64_t> shuffled_ids(std::uint64_t count) {
  std::vector<std::uint64_t> ids(count);
  std::iota(ids.begin(), ids.end(), std::uint64_t{0});
  base::Random random(5);
  for (std::uint64_t i = count; i > 1; --i) std::swap(ids[i - 1], ids[random.uniform(i)]);
  return ids;
}

class Copies : public testing::Test {
 protected:
  Copies() : fake_(make_fake_context()) {}

  Buffer allocate(std::uint64_t bytes) { return fake_.context.device("host").value().allocate(bytes).value(); }

  template <class T>
  static void expect(const Result<T>& result, Code code, std::string_view words) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), code) << result.error().to_string();
    EXPECT_NE(result.error().to_string().find(words), std::string::npos) << result.error().to_string();
  }

  static std::string path_of(const Request& request) {
    const std::vector<PathUse> paths = request.paths();
    return paths.size() == 1 ? paths[0].path : std::to_string(paths.size()) + " paths";
  }

  FakeContext fake_;
};

TEST_F(Copies, LayoutsThatDoNotFitAreRefusedByName) {
  const Buffer from = allocate(1000);
  const Buffer to = allocate(1000);
  const Layout all;
  expect(fake_.context.copy(from, Layout::contiguous(1, 1000), to, all), Code::out_of_range, "source");
  expect(fake_.context.copy(from, all, to, Layout::rows({0, 100, 0, {0, 10}})), Code::out_of_range, "destination");
  expect(fake_.context.copy(from, Layout::strided({0, 10, 20, 5}), to, all), Code::invalid_argument, "differ");
  expect(fake_.context.copy(from, Layout::contiguous(0, ~0ULL), to, all), Code::out_of_range, "overflow");
  expect(fake_.context.copy(from, Layout::extents({}), to, Layout::extents({})), Code::invalid_argument, "zero");
  const Slice stale = allocate(1000);
  expect(fake_.context.copy(from, all, stale, all), Code::stale, "destination");
}

TEST_F(Copies, BytesThatAreReadAndWrittenAreRefusedAndNeighboursAreNot) {
  const Buffer matrix = allocate(1000 * 64);
  const Layout left = Layout::strided({0, 16, 64, 1000});
  EXPECT_TRUE(fake_.context.copy(matrix, left, matrix, Layout::strided({16, 16, 64, 1000})).value().wait().ok());
  expect(fake_.context.copy(matrix, left, matrix, Layout::strided({15, 16, 64, 1000})), Code::invalid_argument,
         "overlap");
  expect(fake_.context.copy(matrix, Layout::rows({0, 16, 64, {1, 2, 3}}), matrix, Layout::rows({0, 16, 64, {4, 2, 9}})),
         Code::invalid_argument, "overlap");
}

TEST_F(Copies, AMillionRowsAreOneRequestEitherWay) {
  constexpr std::uint64_t kRows = 1'200'000;
  constexpr std::uint64_t kRowBytes = 24;
  const Buffer table = allocate(kRows * kRowBytes);
  const Buffer packed = allocate(kRows * kRowBytes);
  const Buffer again = allocate(kRows * kRowBytes);
  for (std::uint64_t i = 0; i < kRows; ++i) std::memcpy(table.data() + i * kRowBytes, &i, sizeof i);
  const std::vector<std::uint64_t> ids = shuffled_ids(kRows);
  const Layout rows = Layout::rows({0, kRowBytes, 0, ids});
  const Request gather = fake_.context.copy(table, rows, packed, Layout()).value();
  ASSERT_TRUE(gather.wait().ok());
  EXPECT_EQ(path_of(gather), "memory -> pool workers");
  for (std::uint64_t i = 0; i < kRows; ++i) {
    ASSERT_EQ(std::memcmp(packed.data() + i * kRowBytes, &ids[i], sizeof ids[i]), 0) << i;
  }
  ASSERT_TRUE(fake_.context.copy(packed, Layout(), again, rows).value().wait().ok());
  EXPECT_EQ(std::memcmp(again.data(), table.data(), kRows * kRowBytes), 0);
}

TEST_F(Copies, StatisticsCountCopiesAndFillsApart) {
  const Buffer from = allocate(kBytes);
  const Buffer to = allocate(kBytes);
  const std::byte pattern[] = {std::byte{1}, std::byte{2}, std::byte{3}};
  ASSERT_TRUE(fake_.context.fill(from, pattern).value().wait().ok());
  ASSERT_TRUE(fake_.context.copy(from, to).value().wait().ok());
  EXPECT_EQ(to.data()[kBytes - 1], pattern[(kBytes - 1) % 3]);
  for (const std::string name : {"copy", "fill"}) {
    const auto operations = fake_.context.statistics().operations;
    const auto found = std::find_if(operations.begin(), operations.end(),
                                    [&](const OperationStatistics& one) { return one.operation == name; });
    ASSERT_NE(found, operations.end()) << name;
    EXPECT_EQ(found->bytes, kBytes);
  }
}

TEST_F(Copies, PatternsHaveOneToSixteenBytes) {
  const Buffer memory = allocate(100);
  const std::vector<std::byte> pattern(17);
  expect(fake_.context.fill(memory, {}), Code::invalid_argument, "1 to 16");
  expect(fake_.context.fill(memory, pattern), Code::invalid_argument, "1 to 16");
  EXPECT_TRUE(fake_.context.fill(memory, std::span(pattern).first(16)).value().wait().ok());
}

TEST_F(Copies, ACancelledCopyIsQuietAndSaysHowFarItCame) {
  const Buffer from = allocate(512U << 20U);
  const Buffer to = allocate(512U << 20U);
  const Request request = fake_.context.copy(from, to).value();
  request.cancel();
  EXPECT_TRUE(request.quiet());
  const bool finished = request.progress().done_bytes == from.size();
  EXPECT_EQ(request.wait().code(), finished ? Code::ok : Code::cancelled);
}

TEST_F(Copies, StreamsAreWaitedForAndWait) {
  const Device host = fake_.context.device("host").value();
  const Stream stream = host.create_stream().value();
  const Buffer a = allocate(kBytes);
  const Buffer b = allocate(kBytes);
  const Buffer c = allocate(kBytes);
  TransferOptions options;
  options.stream = &stream;
  for (int round = 1; round < 20; ++round) {
    const std::byte value[] = {static_cast<std::byte>(round)};
    std::vector<Request> requests;
    requests.push_back(fake_.context.fill(a, value, options).value());
    requests.push_back(fake_.context.copy(a, b, options).value());
    requests.push_back(fake_.context.copy(b, c, options).value());
    ASSERT_TRUE(stream.synchronize().ok());
    EXPECT_EQ(c.data()[0], value[0]);
    EXPECT_EQ(c.data()[kBytes - 1], value[0]);
    for (const Request& request : requests) EXPECT_TRUE(request.wait().ok());
  }
}

class AcceleratorCopies : public Copies {
 protected:
  explicit AcceleratorCopies(const std::map<std::string, std::string>& settings = {}) {
    ContextOptions options{Settings(), Drive::threads};
    for (const auto& [key, value] : settings) throw_if_failed(options.settings.set(key, value));
    core::Parts parts = assembly::parts();
    parts.devices.clear();
    parts.devices.push_back([this](const spi::EngineHost& host) {
      return std::make_unique<AcceleratorDriver>(
          std::make_unique<host::Driver>(host.executor, 2, assembly::host_kernels()), broken_);
    });
    context_ = std::make_unique<Context>(core::ContextState::create(options, std::move(parts)).value());
    pinned_ = device("host").allocate(kBytes, {.kind = RegionKind::pinned}).value();
    memory_ = device("host").allocate(kBytes).value();
  }

  Device device(std::string_view name) { return context_->device(name).value(); }

  std::shared_ptr<std::atomic<bool>> broken_ = std::make_shared<std::atomic<bool>>(false);
  std::unique_ptr<Context> context_;
  Buffer pinned_;
  Buffer memory_;
};

TEST_F(AcceleratorCopies, ThePathFollowsTheSizeOfThePieces) {
  const Layout small = Layout::strided({0, 128, 256, 1000});
  const Layout large = Layout::strided({0, 300'000, 400'000, 8});
  const Request rows = context_->copy(pinned_, small, memory_, Layout::contiguous(0, 128'000)).value();
  ASSERT_TRUE(rows.wait().ok());
  EXPECT_EQ(path_of(rows), "memory -> one kernel");
  const Request blocks = context_->copy(memory_, Layout::contiguous(0, 2'400'000), pinned_, large).value();
  ASSERT_TRUE(blocks.wait().ok());
  EXPECT_EQ(path_of(blocks), "memory -> copy engine");
  EXPECT_NE(blocks.explain().find("large pieces"), std::string::npos) << blocks.explain();
  const Buffer other = device("host:1").allocate(kBytes).value();
  const Request across = context_->copy(memory_, small, other, small).value();
  ASSERT_TRUE(across.wait().ok());
  EXPECT_EQ(path_of(across), "memory -> copy engine") << "kernels may not reach the other's memory";
}

TEST_F(AcceleratorCopies, UnassistedOnesLaunchNoKernel) {
  *broken_ = true;
  TransferOptions options;
  options.unassisted = true;
  const Layout small = Layout::strided({0, 128, 256, 1000});
  EXPECT_TRUE(context_->copy(pinned_, small, memory_, small, options).value().wait().ok());
  const std::byte zero[1] = {};
  expect(context_->fill(memory_, zero, options), Code::unsupported, "unassisted");
  EXPECT_TRUE(context_->fill(pinned_, zero, options).value().wait().ok());
}

TEST_F(AcceleratorCopies, AKernelThatFailsIsAFailureOfItsPartOfTheSource) {
  *broken_ = true;
  const Layout rows = Layout::rows({100, 64, 128, shuffled_ids(1000)});
  const Request request = context_->copy(pinned_, rows, memory_, Layout::contiguous(0, 64'000)).value();
  EXPECT_EQ(request.wait().code(), Code::device_error);
  ASSERT_EQ(request.failures().size(), 1U);
  EXPECT_EQ(request.failures()[0].extent, (Extent{100, 999 * 128 + 64}));
  EXPECT_EQ(request.progress().done_bytes, 0U);
}

class PoorAcceleratorCopies : public AcceleratorCopies {
 protected:
  PoorAcceleratorCopies() : AcceleratorCopies({{"memory.pinned_budget_bytes", "4096"}}) {}
};

TEST_F(PoorAcceleratorCopies, WithoutPinnedMemoryForAListTheCopyEngineDoesIt) {
  const Layout small = Layout::strided({0, 128, 256, 1000});
  std::memset(pinned_.data(), 0x5c, kBytes);
  const Request request = context_->copy(pinned_, small, memory_, small).value();
  ASSERT_TRUE(request.wait().ok()) << request.status().to_string();
  EXPECT_EQ(path_of(request), "memory -> copy engine");
  EXPECT_EQ(memory_.data()[999 * 256 + 127], std::byte{0x5c});
  const std::byte pattern[] = {std::byte{1}, std::byte{2}};
  EXPECT_EQ(context_->fill(memory_, pattern).value().wait().code(), Code::resource_exhausted);
  EXPECT_TRUE(context_->fill(memory_, std::span(pattern).first(1)).value().wait().ok());
}

class CxlTraffic : public Copies {
 protected:
  CxlTraffic() {
    fake_.engine->add("cxl", {.size_bytes = kSize, .tier = "cxl"});
    fake_.engine->add("disk", {.size_bytes = kSize});
    cxl_ = fake_.context.open("fake://cxl").value();
    disk_ = fake_.context.open("fake://disk").value();
    memory_ = allocate(kSize);
    throw_if_failed(fake_.context.set("scheduler.bandwidth_cxl_bytes_per_second", "1MiB"));
  }

  static constexpr std::uint64_t kSize = 64U << 20U;
  Store cxl_;
  Store disk_;
  Buffer memory_;
};

TEST_F(CxlTraffic, IsHeldToItsBandwidthAndHoldsUpNobody) {
  const Request held = fake_.context.read(cxl_, memory_).value();
  const Request free = fake_.context.read(disk_, memory_).value();
  EXPECT_TRUE(free.wait(20s).ok());
  EXPECT_FALSE(held.done()) << "64 MiB at 1 MiB a second";
  EXPECT_LT(held.progress().done_bytes, kSize);
  ASSERT_TRUE(fake_.context.set("scheduler.bandwidth_cxl_bytes_per_second", "0").ok());
  EXPECT_TRUE(held.wait(20s).ok());
}

/// Bytes of a Store on CXL memory as memory: the limit is of the tier, not of how it is reached.
class MappedCxlTraffic : public CxlTraffic {
 protected:
  MappedCxlTraffic() {
    const OpenOptions create{.mode = OpenMode::create, .size_bytes = kSize};
    const Store store = fake_.context.open("cxl://" + path_, create).value();
    mapped_ = fake_.context.map(store, {.access = MapAccess::read_write}).value();
  }
  ~MappedCxlTraffic() override { ::unlink(path_.c_str()); }

  void expect_held(const Request& request) {
    const Buffer other = allocate(kSize);
    EXPECT_TRUE(fake_.context.read(disk_, other).value().wait(20s).ok()) << "it holds up nobody";
    EXPECT_FALSE(request.done()) << "64 MiB at 1 MiB a second";
    ASSERT_TRUE(fake_.context.set("scheduler.bandwidth_cxl_bytes_per_second", "0").ok());
    EXPECT_TRUE(request.wait(20s).ok());
  }

  const std::string path_ = testing::TempDir() + "gpuio-cxl-traffic-" + std::to_string(::getpid());
  Buffer mapped_;
};

TEST_F(MappedCxlTraffic, CopiesFromItAreHeldToTheBandwidth) {
  expect_held(fake_.context.copy(mapped_, memory_).value());
}

TEST_F(MappedCxlTraffic, CopiesToItAreHeldToTheBandwidth) { expect_held(fake_.context.copy(memory_, mapped_).value()); }

TEST_F(MappedCxlTraffic, FillsOfItAreHeldToTheBandwidth) {
  const std::byte pattern[] = {std::byte{7}};
  expect_held(fake_.context.fill(mapped_, pattern).value());
}

TEST_F(MappedCxlTraffic, ReadsOfADiskIntoItAreHeldToTheBandwidth) {
  expect_held(fake_.context.read(disk_, mapped_).value());
}

TEST_F(MappedCxlTraffic, SoAreThoseOfWhoeverReceivedIt) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const base::UniqueFd here(ends[0]);
  const base::UniqueFd there(ends[1]);
  const Result<Share> shared = share(here.get(), mapped_);
  ASSERT_TRUE(shared) << shared.error().to_string();
  const Buffer received =
      receive_shared(fake_.context.device("host").value(), there.get(), {.access = MapAccess::read_write}).value();
  expect_held(fake_.context.copy(received, memory_).value());
}

TEST_F(CxlTraffic, UrgentBytesAreNotHeldBack) {
  const Request held = fake_.context.read(cxl_, memory_).value();
  TransferOptions options;
  options.priority = Priority::high;
  const Buffer other = allocate(kSize);
  EXPECT_TRUE(fake_.context.read(cxl_, other, options).value().wait(20s).ok());
  EXPECT_FALSE(held.done());
}

}  // namespace
}  // namespace gpuio::tests
