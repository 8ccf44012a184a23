// SPDX-License-Identifier: Apache-2.0
// Random pairs of Layouts between any two of sixteen devices, some of which pose as accelerators, against a plain loop.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <list>
#include <map>
#include <set>

#include "assembly/kernels/host_kernels.h"
#include "base/random.h"
#include "base/testing/temporary_folder.h"
#include "core/context_state.h"
#include "device/host/driver.h"
#include "gpuio/gpuio.hpp"
#include "sim/device.h"
#include "support/drawn_layouts.h"
#include "support/planted_model.h"

namespace gpuio::tests {
namespace {

constexpr std::uint64_t kMemoryBytes = (2U << 20U) + 333;
constexpr std::uint64_t kCopyBytesMax = 1U << 20U;
constexpr int kDevices = 16;

/// Host devices of which every other one poses as an accelerator. Rows go to and from some of those as a cost model
/// says, which has each way for some.
Context make_context(Drive drive) {
  using core::RowWay;
  const base::testing::TemporaryFolder folder;
  const std::string file = folder.file("model.json");
  throw_if_failed(planted_model({{"host:1", RowWay::kernel},
                                 {"host:3", RowWay::copy_engine},
                                 {"host:5", RowWay::staged},
                                 {"host:7", RowWay::staged}})
                      .save(file));
  ContextOptions options{Settings(), drive};
  throw_if_failed(options.settings.set("core.cost_model", file));
  throw_if_failed(options.settings.set("memory.slab_bytes", "256KiB"));
  throw_if_failed(options.settings.set("scheduler.inline_bytes_max", "4KiB"));
  core::Parts parts;
  parts.devices.push_back([](const spi::EngineHost& host) -> std::unique_ptr<spi::DeviceDriver> {
    auto driver = std::make_unique<host::Driver>(host.executor, kDevices, assembly::host_kernels());
    std::vector<sim::DeviceModel> models(kDevices);
    for (std::size_t i = 1; i < models.size(); i += 2) models[i].memory_is_host = false;
    return std::make_unique<sim::Driver>(std::move(driver), std::make_shared<sim::Fate>(0), host.executor,
                                         std::make_shared<sim::Ledger>(), std::move(models));
  });
  return core::ContextState::create(options, std::move(parts)).value();
}

class CopyOracle : public testing::TestWithParam<Drive> {
 protected:
  CopyOracle() : context_(make_context(GetParam())) {}

  static std::uint64_t seed() {
    const char* const given = std::getenv("GPUIO_ORACLE_SEED");
    return given == nullptr ? 20261126 : std::strtoull(given, nullptr, 10);
  }

  /// Memory of any device and kind; a new one each time a pair is met first, or the one there is.
  Buffer& draw_memory(base::Random& random) {
    constexpr RegionKind kKinds[] = {RegionKind::device, RegionKind::pinned, RegionKind::mapped, RegionKind::user};
    const auto device = static_cast<int>(random.uniform(kDevices));
    const RegionKind kind = kKinds[random.uniform(std::size(kKinds))];
    auto [found, added] = buffers_.try_emplace({device, kind});
    if (!added) return found->second;
    const Device opened = context_.device(device == 0 ? "host" : "host:" + std::to_string(device)).value();
    if (kind == RegionKind::user) {
      lent_.emplace_back(kMemoryBytes);
      found->second = opened.wrap(lent_.back().data(), kMemoryBytes, kind).value();
    } else {
      found->second = opened.allocate(kMemoryBytes, {.kind = kind}).value();
    }
    fill_random(random, {found->second.data(), kMemoryBytes});
    return found->second;
  }

  /// Keeps a share of the ways that bytes took, so that a test can tell that it has met them all.
  void note_paths(const Request& request) {
    for (const PathUse& use : request.paths()) paths_.insert(use.path);
  }

  static TransferOptions draw_options(base::Random& random) {
    TransferOptions options;
    options.priority = static_cast<Priority>(random.uniform(3));
    return options;
  }

  struct Side {
    Slice slice;
    Drawn drawn;  ///< Extents count from the Buffer's start.
  };

  /// A Layout in all of the Buffer, or all of a Slice that is just as long.
  static Side draw_side(base::Random& random, Buffer& memory, LayoutDraw draw) {
    if (random.chance(0.8)) return {memory, draw.draw()};
    const Extent extent = draw.draw_extent();
    return {memory.slice(extent.offset, extent.length).value(), {Layout(), {extent}}};
  }

  void check_copy(base::Random& random) {
    constexpr std::uint64_t kUnits[] = {1, 7, 16, 64, 128, 264, 656, 4096, 30'000, 300'000};
    const std::uint64_t unit = kUnits[random.uniform(std::size(kUnits))];
    const std::uint64_t pieces_max = std::max<std::uint64_t>(kCopyBytesMax / unit / (1 + random.uniform(50)), 1);
    const std::uint64_t bytes = unit * (1 + random.uniform(std::min<std::uint64_t>(pieces_max, 6000)));
    Buffer& from = draw_memory(random);
    Buffer& to = draw_memory(random);
    if (from.data() == to.data()) return;
    const Side source = draw_side(random, from, LayoutDraw(random, {kMemoryBytes, bytes, unit, false}));
    const Side destination = draw_side(random, to, LayoutDraw(random, {kMemoryBytes, bytes, unit, true}));
    std::vector<std::byte> expected(to.data(), to.data() + kMemoryBytes);
    copy_by_hand(expected.data(), destination.drawn.extents, from.data(), source.drawn.extents);
    const Request request =
        context_
            .copy(source.slice, source.drawn.layout, destination.slice, destination.drawn.layout, draw_options(random))
            .value();
    ASSERT_TRUE(request.wait().ok()) << request.status().to_string();
    note_paths(request);
    EXPECT_EQ(request.progress().done_bytes, bytes);
    ASSERT_EQ(std::memcmp(to.data(), expected.data(), kMemoryBytes), 0) << request.explain();
  }

  void check_fill(base::Random& random) {
    Buffer& memory = draw_memory(random);
    const std::uint64_t bytes = 1 + random.uniform(random.chance(0.5) ? 3000 : kMemoryBytes);
    const std::uint64_t offset = random.uniform(kMemoryBytes - bytes + 1);
    std::vector<std::byte> pattern(1 + random.uniform(16));
    fill_random(random, pattern);
    std::vector<std::byte> expected(memory.data(), memory.data() + kMemoryBytes);
    for (std::uint64_t i = 0; i < bytes; ++i) expected[offset + i] = pattern[i % pattern.size()];
    const Request request = context_.fill(memory.slice(offset, bytes).value(), pattern, draw_options(random)).value();
    ASSERT_TRUE(request.wait().ok()) << request.status().to_string();
    note_paths(request);
    ASSERT_EQ(std::memcmp(memory.data(), expected.data(), kMemoryBytes), 0)
        << request.explain() << offset << " + " << bytes << " of " << pattern.size();
  }

  Context context_;
  std::list<std::vector<std::byte>> lent_;
  std::map<std::pair<int, RegionKind>, Buffer> buffers_;
  std::set<std::string> paths_;
};

TEST_P(CopyOracle, EveryByteIsWhereAPlainLoopPutsIt) {
  SCOPED_TRACE("replay with GPUIO_ORACLE_SEED=" + std::to_string(seed()));
  base::Random random(seed());
  for (int i = 0; i < 900 && !HasFatalFailure(); ++i) {
    SCOPED_TRACE("copy " + std::to_string(i));
    check_copy(random);
  }
  const std::set<std::string> all{"memory -> caller's thread",
                                  "memory -> pool workers",
                                  "memory -> copy engine",
                                  "memory -> one kernel",
                                  "memory -> pool workers -> pinned slab -> copy engine",
                                  "host memory -> pinned slab -> copy engine",
                                  "host memory -> pinned slab -> kernel"};
  EXPECT_EQ(paths_, all);
}

TEST_P(CopyOracle, EveryByteOfAFillIsThePatterns) {
  SCOPED_TRACE("replay with GPUIO_ORACLE_SEED=" + std::to_string(seed()));
  base::Random random(seed());
  for (int i = 0; i < 300 && !HasFatalFailure(); ++i) {
    SCOPED_TRACE("fill " + std::to_string(i));
    check_fill(random);
  }
  const std::set<std::string> all{"pattern -> caller's thread", "pattern -> pool workers", "pattern -> copy engine"};
  EXPECT_EQ(paths_, all);
}

TEST_P(CopyOracle, BlocksOfOneMatrixMoveWithinIt) {
  base::Random random(seed());
  Buffer memory = context_.device("host").value().allocate(kMemoryBytes).value();
  fill_random(random, {memory.data(), kMemoryBytes});
  constexpr std::uint64_t kRows = 1000;
  constexpr std::uint64_t kStride = 1024;
  std::vector<std::byte> expected(memory.data(), memory.data() + kMemoryBytes);
  for (std::uint64_t row = 0; row < kRows; ++row) {
    std::memcpy(expected.data() + row * kStride + 600, expected.data() + row * kStride + 100, 300);
  }
  const Request request = context_
                              .copy(memory, Layout::strided({100, 300, kStride, kRows}), memory,
                                    Layout::strided({600, 300, kStride, kRows}))
                              .value();
  ASSERT_TRUE(request.wait().ok());
  EXPECT_EQ(std::memcmp(memory.data(), expected.data(), kMemoryBytes), 0);
}

std::string drive_name(const testing::TestParamInfo<Drive>& info) {
  return info.param == Drive::threads ? "threads" : "caller";
}

INSTANTIATE_TEST_SUITE_P(All, CopyOracle, testing::Values(Drive::threads, Drive::caller), drive_name);

}  // namespace
}  // namespace gpuio::tests
