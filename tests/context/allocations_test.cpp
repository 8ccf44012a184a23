// SPDX-License-Identifier: Apache-2.0
// What Requests of very many rows allocate, whichever way they go.
#include "context/rows_fixture.h"
#include "support/allocation_count.h"

namespace gpuio::tests {
namespace {

using core::RowWay;

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
  const AllocationCount allocations;
  const Request request = context_->copy(table, rows, packed, Layout()).value();
  ASSERT_TRUE(request.wait().ok());
  EXPECT_LT(allocations.so_far(), kMany / 50) << request.explain();
  for (std::uint64_t i = 0; i < kMany; ++i) {
    ASSERT_EQ(std::memcmp(packed.data() + i * kBytes, &ids[i], sizeof ids[i]), 0) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(AllWays, ManyRows, testing::Values(RowWay::kernel, RowWay::copy_engine, RowWay::staged),
                         row_way_name);

}  // namespace
}  // namespace gpuio::tests
