// SPDX-License-Identifier: Apache-2.0
// Rows of host memory to and from an accelerator: each way by a model that says so, what rules one out, what it costs.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <numeric>
#include <optional>

#include "assembly/kernels/host_kernels.h"
#include "base/testing/temporary_folder.h"
#include "device/host/driver.h"
#include "support/drawn_layouts.h"
#include "support/fake_context.h"
#include "support/far_device.h"
#include "support/planted_model.h"

namespace {
std::atomic<std::size_t> allocations{0};
}  // namespace

// NOLINTBEGIN(cppcoreguidelines-no-malloc, misc-definitions-in-headers): counts, and allocates as ever
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* const memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
// NOLINTEND(cppcoreguidelines-no-malloc, misc-definitions-in-headers)

namespace gpuio::tests {
namespace {

using core::RowWay;

constexpr std::uint64_t kRowBytes = 200;
constexpr std::uint64_t kRows = 30'000;
constexpr std::uint64_t kIds = 20'000;

class Rows : public testing::Test {
 protected:
  void start(std::optional<RowWay> way, const std::string& pinned_budget = "256MiB") {
    ContextOptions options{Settings(), Drive::threads};
    const std::string file = folder_.file("model.json");
    if (way) throw_if_failed(planted_model({{"far:0", *way}}).save(file));
    throw_if_failed(options.settings.set("core.cost_model", way ? file : "off"));
    throw_if_failed(options.settings.set("memory.slab_bytes", "1MiB"));
    throw_if_failed(options.settings.set("memory.pinned_budget_bytes", pinned_budget));
    core::Parts parts = assembly::parts();
    parts.devices.push_back([this](const spi::EngineHost& host) -> std::unique_ptr<spi::DeviceDriver> {
      return std::make_unique<FarDriver>(std::make_unique<host::Driver>(host.executor, 1, assembly::host_kernels()),
                                         rules_);
    });
    context_.emplace(core::ContextState::create(options, std::move(parts)).value());
    own_ = device("far:0").allocate(kIds * kRowBytes).value();
  }

  Device device(std::string_view name) { return context_->device(name).value(); }

  Buffer table(RegionKind kind = RegionKind::pinned, std::string_view of = "far:0") {
    return device(of).allocate(kRows * kRowBytes, {.kind = kind}).value();
  }

  /// The only path of a gather and a scatter of the same rows, with its reason; their bytes are a plain loop's.
  std::string way_of(const Buffer& table, const TransferOptions& options = {}) {
    const Drawn rows = draw();
    const std::vector<Extent> whole{{0, kIds * kRowBytes}};
    const std::string gather = move(table, rows.layout, rows.extents, own_, Layout(), whole, options);
    const std::string scatter = move(own_, Layout(), whole, table, rows.layout, rows.extents, options);
    EXPECT_EQ(gather, scatter);
    return gather;
  }

  Drawn draw() {
    std::vector<std::uint64_t> ids(kRows);
    std::iota(ids.begin(), ids.end(), std::uint64_t{0});
    for (std::uint64_t i = 0; i < kIds; ++i) std::swap(ids[i], ids[i + random_.uniform(kRows - i)]);
    ids.resize(kIds);
    Drawn drawn;
    for (const std::uint64_t id : ids) drawn.extents.push_back({id * kRowBytes, kRowBytes});
    drawn.layout = Layout::rows({0, kRowBytes, 0, std::move(ids)});
    return drawn;
  }

  /// The far device's memory is the host's, whoever it poses as.
  std::string move(const Buffer& from, const Layout& source, const std::vector<Extent>& source_extents,
                   const Buffer& to, const Layout& destination, const std::vector<Extent>& destination_extents,
                   const TransferOptions& options) {
    fill_random(random_, {from.data(), from.size()});
    fill_random(random_, {to.data(), to.size()});
    std::vector<std::byte> expected(to.data(), to.data() + to.size());
    copy_by_hand(expected.data(), destination_extents, from.data(), source_extents);
    const Request request = context_->copy(from, source, to, destination, options).value();
    EXPECT_TRUE(request.wait().ok()) << request.status().to_string();
    EXPECT_EQ(std::memcmp(to.data(), expected.data(), expected.size()), 0) << request.explain();
    EXPECT_EQ(request.progress().done_bytes, kIds * kRowBytes);
    const std::vector<PathUse> paths = request.paths();
    EXPECT_EQ(paths.size(), 1U) << request.explain();
    return paths.front().path + " (" + paths.front().reason + ")";
  }

  const base::testing::TemporaryFolder folder_;
  const std::shared_ptr<FarRules> rules_ = std::make_shared<FarRules>();
  std::optional<Context> context_;
  Buffer own_;
  base::Random random_{20261127};
};

constexpr std::string_view kByKernel = "memory -> one kernel (cost model: a kernel moves the rows quickest)";
constexpr std::string_view kByEngine = "memory -> copy engine (cost model: a copy for each row is quickest)";
constexpr std::string_view kPacked =
    "memory -> pool workers -> pinned slab -> copy engine (cost model: packing the rows in slabs is quickest)";
constexpr std::string_view kPackedWithoutKernels =
    "memory -> pool workers -> pinned slab -> copy engine "
    "(cost model: packing the rows in slabs is quickest without kernels)";

TEST_F(Rows, AKernelMovesThemWhereThatWasMeasuredToBeQuickest) {
  start(RowWay::kernel);
  EXPECT_EQ(way_of(table()), kByKernel);
  EXPECT_EQ(way_of(table(RegionKind::mapped)), kByKernel);
}

TEST_F(Rows, TheCopyEngineMovesThemWhereThatWasMeasuredToBeQuickest) {
  start(RowWay::copy_engine);
  EXPECT_EQ(way_of(table()), kByEngine);
  EXPECT_NE(way_of(table(RegionKind::mapped)), kByEngine) << "nobody measured it of mapped memory";
}

TEST_F(Rows, HostThreadsPackThemWhereThatWasMeasuredToBeQuickest) {
  start(RowWay::staged);
  EXPECT_EQ(way_of(table()), kPacked);
  EXPECT_EQ(way_of(table(RegionKind::mapped)), kPacked);
}

TEST_F(Rows, WithoutAModelFixedRulesDecide) {
  start({});
  EXPECT_EQ(way_of(table()), "memory -> one kernel (many small pieces that kernels reach)");
}

TEST_F(Rows, ATableThatOnlyTheHostReachesIsPackedWhateverTheModelSays) {
  start(RowWay::kernel);
  constexpr std::string_view kStaged =
      "memory -> pool workers -> pinned slab -> copy engine (many pieces of memory that only the host reaches)";
  EXPECT_EQ(way_of(table(RegionKind::device, "host")), kStaged);
  std::vector<std::byte> lent(kRows * kRowBytes);
  EXPECT_EQ(way_of(device("far:0").wrap(lent.data(), lent.size(), RegionKind::user).value()), kStaged);
}

TEST_F(Rows, WhereKernelsDoNotLoadTheNextBestIsTaken) {
  rules_->kernels_reach = false;
  start(RowWay::kernel);
  EXPECT_EQ(way_of(table()), kPackedWithoutKernels);
}

TEST_F(Rows, AnUnassistedRequestIsPackedAndLaunchesNothing) {
  start(RowWay::staged);
  TransferOptions options;
  options.unassisted = true;
  EXPECT_EQ(way_of(table(), options), kPackedWithoutKernels);
}

TEST_F(Rows, RowsOnBothSidesCanNotBePackedForOneCopy) {
  start(RowWay::staged);
  const Buffer from = table();
  const Buffer to = table(RegionKind::device);
  const Drawn source = draw();
  const Drawn destination = draw();
  const std::string way = move(from, source.layout, source.extents, to, destination.layout, destination.extents, {});
  EXPECT_EQ(way, kByKernel) << "the next best";
}

TEST_F(Rows, WithoutPinnedMemoryForSlabsTheCopyEngineDoesIt) {
  start(RowWay::staged, "4096");
  EXPECT_EQ(way_of(table()), "memory -> copy engine (no pinned memory to pack its many pieces in)");
}

class ManyRows : public Rows, public testing::WithParamInterface<RowWay> {};

TEST_P(ManyRows, AMillionIdsCostNoAllocationEach) {
  constexpr std::uint64_t kMany = 1'100'000;
  constexpr std::uint64_t kBytes = 16;
  start(GetParam());
  const Buffer table = device("far:0").allocate(kMany * kBytes, {.kind = RegionKind::pinned}).value();
  const Buffer packed = device("far:0").allocate(kMany * kBytes).value();
  std::vector<std::uint64_t> ids(kMany);
  for (std::uint64_t i = 0; i < kMany; ++i) ids[i] = i * 7 % kMany;
  for (std::uint64_t i = 0; i < kMany; ++i) std::memcpy(table.data() + i * kBytes, &i, sizeof i);
  const Layout rows = Layout::rows({0, kBytes, 0, ids});
  const std::size_t before = allocations;
  const Request request = context_->copy(table, rows, packed, Layout()).value();
  ASSERT_TRUE(request.wait().ok());
  EXPECT_LT(allocations - before, kMany / 50) << request.explain();
  for (std::uint64_t i = 0; i < kMany; ++i) {
    ASSERT_EQ(std::memcmp(packed.data() + i * kBytes, &ids[i], sizeof ids[i]), 0) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(AllWays, ManyRows, testing::Values(RowWay::kernel, RowWay::copy_engine, RowWay::staged));

}  // namespace
}  // namespace gpuio::tests
