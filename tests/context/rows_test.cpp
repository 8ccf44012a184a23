// SPDX-License-Identifier: Apache-2.0
// Rows of host memory to and from an accelerator: each way by a model that says so, and what rules one out.
#include "context/rows_fixture.h"

namespace gpuio::tests {
namespace {

using core::RowWay;

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

}  // namespace
}  // namespace gpuio::tests
