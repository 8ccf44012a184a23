// SPDX-License-Identifier: Apache-2.0
// Copies of Layouts and fills with a GPU's memory on one side or both, against a plain loop. tests/oracle does the same
// on a machine without one.
#include <gtest/gtest.h>

#include <cstring>
#include <optional>

#include "base/testing/temporary_folder.h"
#include "gpu_context.h"
#include "gpuio/gpuio.hpp"
#include "support/drawn_layouts.h"
#include "support/planted_model.h"

namespace gpuio::tests {
namespace {

constexpr std::uint64_t kMemoryBytes = (8U << 20U) + 333;

class GpuCopies : public testing::Test {
 protected:
  void SetUp() override { start(gpu_context()); }

  void start(Context context) {
    context_.emplace(std::move(context));
    const Result<Device> opened = context_->device("cuda:0");
    if (!opened) GTEST_SKIP() << opened.error().to_string();
    add(*opened, RegionKind::device);
    add(*opened, RegionKind::device);
    add(*opened, RegionKind::pinned);
    if (opened->capability(Ability::mapped_regions)) add(*opened, RegionKind::mapped);
    add(context_->device("host").value(), RegionKind::device);
    if (const Result<Device> second = context_->device("cuda:1"); second) add(*second, RegionKind::device);
  }

  void add(const Device& device, RegionKind kind) {
    memories_.push_back(device.allocate(kMemoryBytes, {.kind = kind}).value());
  }

  /// To and from the memory of a plain vector: through slabs, as files go.
  void upload(const std::vector<std::byte>& bytes, const Buffer& memory) {
    const Buffer lent =
        context_->device("host").value().wrap(const_cast<std::byte*>(bytes.data()), bytes.size()).value();
    throw_if_failed(context_->copy(lent, memory).value().wait());
  }
  std::vector<std::byte> download(const Buffer& memory) {
    std::vector<std::byte> bytes(kMemoryBytes);
    const Buffer lent = context_->device("host").value().wrap(bytes.data(), bytes.size()).value();
    throw_if_failed(context_->copy(memory, lent).value().wait());
    return bytes;
  }

  std::vector<std::byte> random_bytes() {
    std::vector<std::byte> bytes(kMemoryBytes);
    fill_random(random_, bytes);
    return bytes;
  }

  void check_copy(const Buffer& from, const Buffer& to, std::uint64_t unit) {
    const std::uint64_t bytes = unit * (1 + random_.uniform(std::min<std::uint64_t>(kMemoryBytes / 2 / unit, 20'000)));
    const Drawn source = LayoutDraw(random_, {kMemoryBytes, bytes, unit, false}).draw();
    const Drawn destination = LayoutDraw(random_, {kMemoryBytes, bytes, unit, true}).draw();
    const std::vector<std::byte> before = random_bytes();
    std::vector<std::byte> expected = random_bytes();
    upload(before, from);
    upload(expected, to);
    copy_by_hand(expected.data(), destination.extents, before.data(), source.extents);
    const Request request = context_->copy(from, source.layout, to, destination.layout).value();
    ASSERT_TRUE(request.wait().ok()) << request.status().to_string();
    ASSERT_TRUE(download(to) == expected) << request.explain();
  }

  std::optional<Context> context_;
  std::vector<Buffer> memories_;  ///< The first is cuda:0's own.
  base::Random random_{20261126};
};

TEST_F(GpuCopies, EveryByteIsWhereAPlainLoopPutsIt) {
  for (const Buffer& from : memories_) {
    for (const Buffer& to : memories_) {
      if (&from == &to) continue;
      for (const std::uint64_t unit : {1U, 16U, 128U, 264U, 656U, 30'000U, 300'000U}) {
        SCOPED_TRACE(testing::Message() << to_string(from.kind()) << " of " << from.device_name() << " to "
                                        << to_string(to.kind()) << " of " << to.device_name() << ", unit " << unit);
        check_copy(from, to, unit);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_F(GpuCopies, EveryByteOfAFillIsThePatterns) {
  for (const Buffer& memory : memories_) {
    for (std::size_t size = 1; size <= 16; ++size) {
      std::vector<std::byte> pattern(size);
      fill_random(random_, pattern);
      std::vector<std::byte> expected = random_bytes();
      upload(expected, memory);
      const std::uint64_t bytes = 1 + random_.uniform(kMemoryBytes);
      const std::uint64_t offset = random_.uniform(kMemoryBytes - bytes + 1);
      for (std::uint64_t i = 0; i < bytes; ++i) expected[offset + i] = pattern[i % size];
      const Request request = context_->fill(memory.slice(offset, bytes).value(), pattern).value();
      ASSERT_TRUE(request.wait().ok()) << request.status().to_string();
      ASSERT_TRUE(download(memory) == expected) << request.explain() << size;
    }
  }
}

/// Rows of tables in host memory, the way that a planted model says.
class GpuRows : public GpuCopies, public testing::WithParamInterface<core::RowWay> {
 protected:
  static constexpr std::uint64_t kRowBytes = 264;
  static constexpr std::uint64_t kTableRows = kMemoryBytes / kRowBytes;
  static constexpr std::uint64_t kIds = 20'000;

  void SetUp() override {
    const std::string file = folder_.file("model.json");
    throw_if_failed(planted_model({{"cuda:0", GetParam()}}).save(file));
    start(gpu_context({{"core.cost_model", file}}));
    std::vector<std::uint64_t> ids(kIds);
    for (std::uint64_t i = 0; i < kIds; ++i) ids[i] = i * 7919 % kTableRows;
    for (const std::uint64_t id : ids) extents_.push_back({id * kRowBytes, kRowBytes});
    rows_ = Layout::rows({0, kRowBytes, 0, std::move(ids)});
  }

  struct Side {
    const Buffer& memory;
    const Layout& layout;
    const std::vector<Extent>& extents;
  };

  void check_rows(const Side& from, const Side& to) {
    const std::vector<std::byte> before = random_bytes();
    std::vector<std::byte> expected = random_bytes();
    upload(before, from.memory);
    upload(expected, to.memory);
    copy_by_hand(expected.data(), to.extents, before.data(), from.extents);
    const Request request = context_->copy(from.memory, from.layout, to.memory, to.layout).value();
    ASSERT_TRUE(request.wait().ok()) << request.status().to_string();
    ASSERT_TRUE(download(to.memory) == expected) << request.explain();
    constexpr std::string_view kPaths[] = {"memory -> one kernel", "memory -> copy engine",
                                           "memory -> pool workers -> pinned slab -> copy engine"};
    const std::vector<PathUse> paths = request.paths();
    ASSERT_EQ(paths.size(), 1U) << request.explain();
    EXPECT_TRUE(paths[0].reason.starts_with("cost model: ")) << request.explain();
    // No model has the copy engine's rate on mapped memory: something else is the quickest known.
    const bool mapped = from.memory.kind() == RegionKind::mapped || to.memory.kind() == RegionKind::mapped;
    const bool measured = !mapped || GetParam() != core::RowWay::copy_engine;
    EXPECT_TRUE(!measured || paths[0].path == kPaths[static_cast<std::size_t>(GetParam())]) << request.explain();
  }

  const base::testing::TemporaryFolder folder_;
  Layout rows_;
  std::vector<Extent> extents_;
};

TEST_P(GpuRows, EveryWayPutsEveryByteWhereAPlainLoopDoes) {
  const Layout packed = Layout::contiguous(0, kIds * kRowBytes);
  const std::vector<Extent> packed_extents{{0, kIds * kRowBytes}};
  const Side own{memories_[0], packed, packed_extents};
  for (const Buffer& memory : memories_) {
    if (memory.kind() != RegionKind::pinned && memory.kind() != RegionKind::mapped) continue;
    SCOPED_TRACE(to_string(memory.kind()));
    const Side table{memory, rows_, extents_};
    check_rows(table, own);
    check_rows(own, table);
  }
}

INSTANTIATE_TEST_SUITE_P(AllWays, GpuRows,
                         testing::Values(core::RowWay::kernel, core::RowWay::copy_engine, core::RowWay::staged),
                         row_way_name);

}  // namespace
}  // namespace gpuio::tests
